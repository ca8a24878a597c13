import * as v from 'valibot';
import { linkNameProblem } from '../../base/ifname.ts';
import type { Mac } from '../../base/mac.ts';
import type { MacPolicy } from '../identity/pod-mac.ts';
import type { MacvlanMode } from '../ports.ts';
import type { CniArgs } from '../spec/args.ts';
import type { NetConf } from '../spec/conf.ts';
import { CniError, quoted } from '../spec/errors.ts';
import { maybe, objectAt, optionalText, readShape, uint32 } from '../spec/schema.ts';
import { readMac, readMacKey } from './mac-key.ts';

const MODES: readonly MacvlanMode[] = ['bridge', 'private', 'vepa', 'passthru'];

const shape = v.object({
  master: optionalText,
  mode: optionalText,
  mtu: maybe(v.pipe(v.number(), v.integer('must be a whole number'))),
  mac: optionalText,
  linkInContainer: maybe(v.boolean()),
  bcqueuelen: maybe(uint32),
});

export const MACVLAN_KEYS: readonly string[] = Object.keys(shape.entries);

export type MacvlanConf = {
  /** Undefined: the interface with the default route. */
  readonly master: string | undefined;
  readonly mode: MacvlanMode;
  /** Undefined: the master's. */
  readonly mtu: number | undefined;
  readonly mac: Mac | undefined;
  /** The master is in the container's namespace. */
  readonly linkInContainer: boolean;
  readonly bcQueueLen: number | undefined;
};

/** Gives the MAC of a pod, where that is what is wanted. */
export type PodMacSource = {
  /** For a configuration that states none. */
  readonly byDefault: MacPolicy;
  readonly make: () => Mac;
};

/**
 * The keys of `macvlan`, with the Go plugin's defaults and its order of MACs. Without `ofPod` the policy `pod` gives no
 * MAC: whoever makes no link needs none. Throws CniError 7 naming the key.
 */
export function readMacvlanConf(conf: NetConf, args: CniArgs, ofPod?: PodMacSource): MacvlanConf {
  const read = readShape(shape, conf.raw);
  if (!read.ok) throw read.error;
  const { master, mode = 'bridge', mtu, linkInContainer, bcqueuelen } = read.value;
  const known = MODES.find((name) => name === mode);
  if (known === undefined) throw invalid(`mode: ${quoted(mode)} is none of ${MODES.join(', ')}`);
  const problem = master === undefined ? undefined : linkNameProblem(master);
  if (problem !== undefined) throw invalid(`master: ${quoted(master ?? '')} ${problem}`);
  if (mtu !== undefined && mtu < 0) throw invalid(`mtu: ${mtu} is negative; 0 takes the master's`);
  return {
    master,
    mode: known,
    mtu: mtu === 0 ? undefined : mtu,
    mac: wantedMac(conf, args, read.value.mac, ofPod),
    linkInContainer: linkInContainer ?? false,
    bcQueueLen: bcqueuelen === 0 ? undefined : bcqueuelen,
  };
}

/**
 * `runtimeConfig.mac` over `args.cni.mac` over CNI_ARGS `MAC` over `mac`, as in the Go plugins (`args.cni.mac` as in
 * its `bridge`). Undefined: the kernel takes one at random.
 */
function wantedMac(
  conf: NetConf,
  args: CniArgs,
  configured: string | undefined,
  ofPod: PodMacSource | undefined,
): Mac | undefined {
  const sources = [
    ['runtimeConfig.mac', conf.runtimeConfig['mac']],
    ['args.cni.mac', objectAt(conf.args, 'cni')?.['mac']],
    ['CNI_ARGS MAC', args.values.get('MAC')],
  ] as const;
  for (const [at, text] of sources) {
    if (text === undefined || text === null || text === '') continue;
    if (typeof text !== 'string') throw invalid(`${at}: must be text`);
    return readMac(at, text);
  }
  const stated = readMacKey('mac', configured ?? ofPod?.byDefault ?? 'random');
  if (stated === 'random') return undefined;
  return stated === 'pod' ? ofPod?.make() : stated;
}

function invalid(text: string): CniError {
  return new CniError('invalid-config', text);
}
