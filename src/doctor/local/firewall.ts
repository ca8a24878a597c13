import { formatCidr } from '../../base/cidr.ts';
import { isJsonObject, parseJson, type Json } from '../../base/json.ts';
import { firstShimName } from '../../node/host/shim.ts';
import type { Finding } from '../finding.ts';
import { shimsOf, type Check, type LocalView } from './check.ts';
import type { ForwardChain } from './ports.ts';

const GUARD = 'inet leasehold';

/** The table that keeps service traffic off the LAN. */
export const guardCheck: Check = {
  subject: 'the packet filter that keeps service traffic off the LAN',
  look: (view) => {
    const { firewall, daemon } = view;
    // What it keeps off the LAN is for the daemon to say; where that says nothing, for the cluster.
    const services = daemon.host?.services ?? view.services.map(({ network }) => formatCidr(network));
    // Without a shim nothing of ours is in use, and without networks there is nothing to keep off.
    if (shimsOf(view).length === 0 || services.length === 0) return [];
    if (firewall.kind === 'unknown') {
      // The daemon needs no nft: it asks the kernel itself, and says what is wrong with its table (host-problem).
      const isLookedAfter = daemon.state === 'ready' && daemon.host !== undefined;
      return [isLookedAfter ? unseen(firewall.why) : noNft(firewall.why)];
    }
    if (firewall.tables.includes(GUARD)) return [];
    return [
      {
        id: 'guard-missing',
        severity: 'error',
        title: `packets to service addresses can leave by the LAN: the table ${GUARD} is not there`,
        evidence: [
          `service networks: ${services.join(', ')}`,
          `nft list tables: ${firewall.tables.join(', ') || 'none'}`,
        ],
        remedy: [
          daemon.state === 'ready'
            ? 'the daemon puts it back by itself: look again in a second'
            : 'the daemon puts it back as soon as it runs: systemctl restart leasehold',
          'if it stays away: a script that begins with "flush ruleset" must become one that flushes its own tables',
        ],
      },
    ];
  },
};

function noNft(why: string): Finding {
  return {
    id: 'nft-missing',
    severity: 'error',
    title: 'nothing keeps service traffic off the LAN, because nft cannot be used on this node',
    evidence: [why],
    remedy: ['install nftables (apt install nftables), and load its module: modprobe nf_tables'],
  };
}

/** As in the image, which has no nft. */
function unseen(why: string): Finding {
  return {
    id: 'firewall-unseen',
    severity: 'note',
    title: "the node's packet filter cannot be looked at from here",
    evidence: [why, `the daemon looks after its own table, ${GUARD}; those of others are not known`],
    remedy: ['on the node: nft list ruleset'],
  };
}

/** Who drops what the node forwards takes the cluster's services from the pods. */
export const forwardCheck: Check = {
  subject: 'whether the packet filter lets pods reach the services',
  look: async (view) => {
    const { firewall } = view;
    if (firewall.kind === 'unknown' || (view.services.length === 0 && shimsOf(view).length === 0)) return [];
    const findings: Finding[] = [];
    for (const chain of firewall.forward) {
      const finding = await ofChain(view, chain);
      if (finding !== undefined) findings.push(finding);
    }
    return findings;
  },
};

async function ofChain(view: LocalView, chain: ForwardChain): Promise<Finding | undefined> {
  const shims = shimsOf(view).map(({ name }) => name);
  const names = shims.length > 0 ? shims : [firstShimName([], [])];
  const { family, table, name, policy } = chain;
  if (table === 'firewalld') {
    // Its chain accepts by policy and refuses in its last rule what no zone lets pass.
    const text = (await view.facts.rules(family, table)) ?? '';
    if (names.some((shim) => text.includes(`"${shim}"`))) return undefined;
    return {
      id: 'forward-firewalld',
      severity: 'warning',
      title: `firewalld refuses what pods send to services: ${names.join(', ')} is in no zone`,
      evidence: [
        `chain ${name} of table ${family} ${table}; no rule names ${names.join(', ')}`,
        ...known(view),
      ],
      remedy: names.map(
        (shim) => `firewall-cmd --permanent --zone=trusted --add-interface=${shim} && firewall-cmd --reload`,
      ),
    };
  }
  if (policy !== 'drop') return undefined;
  const rules = await view.facts.rules(family, table, name);
  if (rules !== undefined && acceptsFrom(rules, names)) return undefined;
  return {
    id: 'forward-drop',
    severity: 'warning',
    title: `the packet filter drops what no rule accepts, and none accepts what comes in by ${names.join(', ')}: pods do not reach services`,
    evidence: [
      `table ${family} ${table}, chain ${name}: policy drop`,
      'rules in chains that it jumps to were not followed: one of them may accept it (kube-proxy accepts only what it marked)',
      ...known(view),
    ],
    remedy: names.flatMap((shim) => [
      table === 'filter' && name === 'FORWARD'
        ? `iptables -I FORWARD -i ${shim} -j ACCEPT; with ufw: ufw route allow in on ${shim}`
        : `nft insert rule ${family} ${table} ${name} iifname ${shim} accept`,
    ]),
  };
}

function known({ services }: LocalView): readonly string[] {
  return services.map(({ network, source }) => `service network ${formatCidr(network)}: ${source}`);
}

/** Whether a rule of the chain itself accepts everything, or everything from one of these interfaces. */
function acceptsFrom(text: string, names: readonly string[]): boolean {
  const json = parseJson(text);
  const list = json.ok && isJsonObject(json.value) ? json.value['nftables'] : undefined;
  if (!Array.isArray(list)) return false;
  return list.some((entry: Json) => {
    const rule = isJsonObject(entry) ? entry['rule'] : undefined;
    const expressions = isJsonObject(rule) ? rule['expr'] : undefined;
    if (!Array.isArray(expressions)) return false;
    const matches = expressions.filter(
      (one) => isJsonObject(one) && !('accept' in one) && !('counter' in one),
    );
    const accepts = expressions.some((one) => isJsonObject(one) && 'accept' in one);
    return accepts && matches.every((one) => isFrom(one, names));
  });
}

/** `{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lh0"}}` (libnftables-json(5)) */
function isFrom(expression: Json, names: readonly string[]): boolean {
  const match = isJsonObject(expression) ? expression['match'] : undefined;
  if (!isJsonObject(match) || match['op'] !== '==') return false;
  const meta = isJsonObject(match['left']) ? match['left']['meta'] : undefined;
  const key = isJsonObject(meta) ? meta['key'] : undefined;
  const right = match['right'];
  return (
    (key === 'iifname' || key === 'iif') &&
    typeof right === 'string' &&
    names.some((name) => right === name || (right.endsWith('*') && name.startsWith(right.slice(0, -1))))
  );
}
