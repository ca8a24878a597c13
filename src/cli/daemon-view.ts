import { getJson, SilentDaemonError } from '../api/client.ts';
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts';
import { parseIpv4 } from '../base/ipv4.ts';
import { type Duration, millis } from '../base/time.ts';
import type { KnownLan } from '../doctor/ports.ts';
import type { DaemonView, HostView, NodeFacts, PodsView } from '../doctor/local/ports.ts';

/** More than these are not shown to anybody. */
const MOST_ENTRIES = 256;

/** What the daemon says of itself, or why it says nothing. Never rejects for what is answered. */
export async function viewDaemon(socket: string, facts: NodeFacts): Promise<DaemonView> {
  const spooled = (facts.list(`${socket}.spool`) ?? []).filter((name) => !name.startsWith('.')).length;
  try {
    const ready = await getJson(socket, '/readyz');
    if (!isJsonObject(ready) || ready['status'] !== 'ready') {
      return { socket, spooled, state: 'odd', said: `/readyz: ${JSON.stringify(ready).slice(0, 200)}` };
    }
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { socket, spooled, said, state: stateOf(error, said) };
  }
  const [host, pods, lans] = await Promise.all([viewHost(socket), viewPods(socket), viewLans(socket)]);
  return { socket, spooled, state: 'ready', host, pods, lans };
}

function stateOf(error: unknown, said: string): Exclude<DaemonView['state'], 'ready'> {
  if (error instanceof SilentDaemonError) return 'silent';
  // What client.ts says of ENOENT and ECONNREFUSED has the system's error as its cause.
  if (error instanceof Error && error.cause !== undefined) return 'absent';
  if (!said.includes(' with 503: ')) return 'odd';
  return said.includes('"status":"unfit"') ? 'unfit' : 'starting';
}

/** Undefined from a daemon of a release that does not tell. */
async function viewHost(socket: string): Promise<HostView | undefined> {
  const answer = await askFor(socket, '/v1/host');
  return answer === undefined ? undefined : readHost(answer);
}

async function viewPods(socket: string): Promise<PodsView | undefined> {
  const answer = await askFor(socket, '/v1/host/pods');
  return answer === undefined ? undefined : readPods(answer);
}

async function viewLans(socket: string): Promise<ReadonlyMap<string, KnownLan> | undefined> {
  const answer = await askFor(socket, '/v1/servers');
  return answer === undefined ? undefined : readLans(answer);
}

async function askFor(socket: string, path: string): Promise<JsonObject | undefined> {
  try {
    const answer = await getJson(socket, path);
    return isJsonObject(answer) ? answer : undefined;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function readLans({ lans }: JsonObject): ReadonlyMap<string, KnownLan> {
  return new Map(
    objects(lans).flatMap(({ lan, servers, renewalUnansweredMs }) => {
      const name = text(lan);
      if (name === undefined) return [];
      const known: KnownLan = {
        servers: objects(servers).flatMap(({ server, offerMs, ackMs, nakMs }) => {
          const address = text(server);
          const parsed = address === undefined ? undefined : parseIpv4(address);
          if (parsed === undefined) return [];
          return [{ server: parsed, offer: ago(offerMs), ack: ago(ackMs), nak: ago(nakMs) }];
        }),
        renewalUnanswered: ago(renewalUnansweredMs),
      };
      return [[name, known] as const];
    }),
  );
}

function ago(value: Json | undefined): Duration | undefined {
  return typeof value === 'number' ? millis(value) : undefined;
}

function readPods({ looked, pods }: JsonObject): PodsView {
  return {
    looked: typeof looked === 'number' ? looked : 0,
    pods: objects(pods).flatMap(({ containerId, network, ifname, problems }) => {
      const [id, net, name] = [containerId, network, ifname].map(text);
      if (id === undefined || net === undefined || name === undefined) return [];
      return [
        {
          containerId: id,
          network: net,
          ifname: name,
          problems: list(problems).flatMap((problem) => text(problem) ?? []),
        },
      ];
    }),
  };
}

function readSource({ network, source, guessed }: JsonObject): NonNullable<HostView['sources']> {
  const [cidr, said] = [text(network), text(source)];
  return cidr === undefined || said === undefined
    ? []
    : [{ network: cidr, source: said, guessed: guessed === true }];
}

function readHost(answer: JsonObject): HostView {
  return {
    uplinks: objects(answer['uplinks']).flatMap((uplink) => {
      const name = text(uplink['name']);
      if (name === undefined) return [];
      return [{ name, shim: text(uplink['shim']), address: text(uplink['address']) }];
    }),
    // Also those that it leaves out because they overlap the LAN: that is to be found.
    services: [...list(answer['services']), ...list(answer['servicesLeftOut'])].flatMap((service) => {
      const network = isJsonObject(service) ? service['network'] : service;
      return typeof network === 'string' ? [network] : [];
    }),
    ...(answer['serviceSources'] === undefined
      ? {}
      : { sources: objects(answer['serviceSources']).flatMap(readSource) }),
    kubernetesProblem: objects([answer['kubernetes'] ?? null]).flatMap(
      ({ problem }) => text(problem) ?? [],
    )[0],
    problems: [
      ...objects(answer['uplinks']).flatMap(({ name, problem }) => {
        const said = text(problem);
        return said === undefined ? [] : [`${text(name) ?? 'an uplink'}: ${said}`];
      }),
      ...objects([answer['guard'] ?? null]).flatMap(({ problem }) => {
        const said = text(problem);
        return said === undefined ? [] : [`nftables: ${said}`];
      }),
    ],
    nested: objects(answer['nested']).flatMap(({ uplink, mac, pod, ifname, macvlanMode, ended, takes }) => {
      const [on, address] = [text(uplink), text(mac)];
      if (on === undefined || address === undefined) return [];
      return [
        {
          uplink: on,
          mac: address,
          pod: text(pod),
          ifname: text(ifname),
          macvlanMode: text(macvlanMode),
          ended: ended === true,
          takes: text(takes),
        },
      ];
    }),
    fights: objects(answer['fights']).flatMap((fight) => {
      const item = text(fight['item']);
      if (item === undefined) return [];
      const { since, count } = fight;
      return [
        {
          item,
          by: text(fight['by']),
          since: typeof since === 'number' ? new Date(since).toISOString() : text(since),
          count: typeof count === 'number' ? count : undefined,
        },
      ];
    }),
  };
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value.slice(0, MOST_ENTRIES) : [];
}

function objects(value: Json | undefined): readonly JsonObject[] {
  return list(value).filter(isJsonObject);
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
