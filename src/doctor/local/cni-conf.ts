import type { Finding } from '../finding.ts';
import { checkConflist } from '../conflist/check.ts';
import { conflistNode } from '../conflist/node.ts';
import type { Check, LocalView } from './check.ts';
import { cniFiles, typesIn, type CniFile } from './cni-files.ts';
import { programOf } from '../../node/services/argv.ts';

/** The network configurations of this node: which one counts, and whether it can work. */
export const cniConfCheck: Check = {
  subject: 'the network configurations, and which one wins',
  look: (view) => {
    const files = cniFiles(view.facts, view.places.cniConf);
    const usable = files.filter(({ why }) => why === undefined);
    const winner = usable[0];
    return [
      ...files.filter(({ why }) => why !== undefined).map((file) => broken(file, winner)),
      ...(winner === undefined ? [none(view)] : several(winner, usable.slice(1))),
      ...(winner === undefined ? [] : contents(view, winner)),
    ];
  },
};

/** containerd reads up to the first it can use and fails at a broken one before; CRI-O passes broken ones over. */
function broken(file: CniFile, winner: CniFile | undefined): Finding {
  const first = winner === undefined || file.name < winner.name;
  return {
    id: 'cni-conf-broken',
    severity: first ? 'error' : 'warning',
    title: `${file.path} ${file.why ?? 'cannot be used'}`,
    evidence: first
      ? ['it is read before any file that can be used: containerd stops at it, CRI-O passes it over']
      : [`it is read after ${winner.name}, so it does not matter unless that one goes`],
    remedy: ['mend it, or give it another ending (.disabled)'],
  };
}

/** Programs that run pods, and need a network configuration for that. */
const RUNTIMES: ReadonlySet<string> = new Set(['kubelet', 'containerd', 'crio', 'k3s', 'rke2']);

function none({ facts, places }: LocalView): Finding {
  const names = facts.list(places.cniConf);
  const runtime = facts.processes().find(({ argv }) => RUNTIMES.has(programOf(argv)));
  return {
    id: 'cni-conf-none',
    severity: runtime === undefined ? 'note' : 'warning',
    title: `${places.cniConf} has no network configuration that can be used: pods stay in ContainerCreating`,
    evidence: [
      names === undefined
        ? `${places.cniConf} does not exist, or cannot be read`
        : `files in it: ${names.slice(0, 10).join(', ') || 'none'}; only .conf, .conflist and .json are read`,
      ...(runtime === undefined ? [] : [`${programOf(runtime.argv)} runs (process ${runtime.pid})`]),
    ],
    remedy: [`leasehold conflist > ${places.cniConf}/05-leasehold.conflist`],
  };
}

function isOurs(file: CniFile): boolean {
  return typesIn(file).includes('leasehold');
}

function summary({ name, network, plugins }: CniFile): string {
  const types = plugins.map(({ type }) => (typeof type === 'string' ? type : 'no type'));
  return `${name}: network "${network}", ${types.join(', ')}`;
}

function several(winner: CniFile, others: readonly CniFile[]): readonly Finding[] {
  if (others.length === 0) return [];
  const shadowed = !isOurs(winner) && others.some(isOurs);
  return [
    {
      id: shadowed ? 'cni-conf-shadowed' : 'cni-conf-several',
      severity: shadowed ? 'warning' : 'note',
      title: shadowed
        ? `pods get the network of ${winner.name}, not Leasehold's: the first name in the alphabet wins`
        : `pods get the network of ${winner.name}: the first name in the alphabet wins`,
      evidence: [summary(winner), ...others.map(summary)],
      remedy: shadowed
        ? [
            `rename ${winner.name} to end in .disabled if it is not wanted (Multus is: it calls the others)`,
            "or give Leasehold's a name that comes first, such as 00-leasehold.conflist",
          ]
        : [],
    },
  ];
}

/** What the winner's own text has wrong: the findings of `leasehold conflist --check`, missing programs left out. */
function contents(view: LocalView, winner: CniFile): readonly Finding[] {
  const { findings, plugins } = checkConflist(winner.text ?? '', conflistNode(view));
  return [...findings, ...plugins.flatMap((plugin) => plugin.findings)]
    .filter(({ id, severity }) => severity !== 'note' && severity !== 'ok' && id !== 'plugin-missing')
    .map((finding) => ({ ...finding, evidence: [`in ${winner.path}`, ...finding.evidence] }));
}
