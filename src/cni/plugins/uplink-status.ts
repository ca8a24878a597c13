import { err, type Result } from '../../base/result.ts';
import type { UplinkSource, UplinkState } from '../../node/ports.ts';
import type { UplinkProblem } from '../../node/uplink.ts';
import { CniError } from '../spec/errors.ts';
import type { Ipam } from './ipam.ts';

/**
 * Throws CniError 51 for an uplink on which no pod can be attached: pods that run are cut off there, too. A pod whose
 * addresses do not come from the LAN is attached to an uplink that is down, and comes up with it.
 */
export function assertUplink(
  uplink: Result<UplinkState, UplinkProblem>,
  { asksTheLan }: Pick<Ipam, 'asksTheLan'>,
): void {
  if (!uplink.ok) {
    const { kind, text } = uplink.error;
    if (kind === 'down' && !asksTheLan) return;
    throw new CniError('limited-connectivity', text, kind === 'missing' ? SHOWN : KEPT_UP);
  }
  if (uplink.value.lowerUp || !asksTheLan) return;
  throw new CniError('limited-connectivity', `master "${uplink.value.name}" has no carrier`, CABLE);
}

/** A runtime puts these behind the message, and a kubelet both into the condition of its node. */
const SHOWN = 'ip link and ip route show what this node has';
const KEPT_UP = "let the host's network configuration do so at each boot as well";
const CABLE = "check the cable, the switch port, or the virtual machine's network";

/**
 * Where there is no uplink, the problem says what is wrong with the one that pods run on: an interface that is switched off or
 * gone has taken the default route with it, and that route is then not what a person has to look for.
 */
export async function namingThatOfPods(
  uplink: Result<UplinkState, UplinkProblem>,
  source: UplinkSource,
  running: readonly { readonly uplink: string }[],
): Promise<Result<UplinkState, UplinkProblem>> {
  if (uplink.ok || uplink.error.kind !== 'missing') return uplink;
  const { text } = uplink.error;
  const names = [...new Set(running.map((pod) => pod.uplink))].filter((name) => !text.includes(`"${name}"`));
  const troubles = await Promise.all(names.map((name) => troubleOf(source, name)));
  const known = troubles.filter((trouble) => trouble !== undefined);
  if (known.length === 0) return uplink;
  return err({ kind: 'missing', text: `pods run on ${known.join('; on ')}; and ${text}` });
}

/** "eth0, which is gone"; undefined for one that is as it should be. */
async function troubleOf(source: UplinkSource, name: string): Promise<string | undefined> {
  const link = await source.link(name);
  if (link === undefined) return `${name}, which is gone`;
  if (!link.up) return `${name}, which is down: ip link set ${name} up`;
  return link.lowerUp ? undefined : `${name}, which has no carrier`;
}
