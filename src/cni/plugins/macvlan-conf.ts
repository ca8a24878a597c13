import * as v from 'valibot';
import { isMulticastMac, isZeroMac, type Mac, parseMac } from '../../base/mac.ts';
import type { MacvlanMode } from '../ports.ts';
import type { CniArgs } from '../spec/args.ts';
import type { NetConf } from '../spec/conf.ts';
import { CniError, quoted } from '../spec/errors.ts';
import { maybe, optionalText, readShape, uint32 } from '../spec/schema.ts';

const MODES: readonly MacvlanMode[] = ['bridge', 'private', 'vepa', 'passthru'];

const shape = v.object({
  master: optionalText,
  mode: optionalText,
  mtu: maybe(v.pipe(v.number(), v.integer('must be a whole number'))),
  mac: optionalText,
  linkInContainer: maybe(v.boolean()),
  bcqueuelen: maybe(uint32),
});

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

/** The keys of `macvlan`, with the Go plugin's defaults and its order of MACs. Throws CniError 7 naming the key. */
export function readMacvlanConf(conf: NetConf, args: CniArgs): MacvlanConf {
  const read = readShape(shape, conf.raw);
  if (!read.ok) throw read.error;
  const { master, mode = 'bridge', mtu, linkInContainer, bcqueuelen } = read.value;
  const known = MODES.find((name) => name === mode);
  if (known === undefined) throw invalid(`mode: ${quoted(mode)} is none of ${MODES.join(', ')}`);
  if (mtu !== undefined && mtu < 0) throw invalid(`mtu: ${mtu} is negative; 0 takes the master's`);
  return {
    master,
    mode: known,
    mtu: mtu === 0 ? undefined : mtu,
    mac: wantedMac(conf, args, read.value.mac),
    linkInContainer: linkInContainer ?? false,
    bcQueueLen: bcqueuelen === 0 ? undefined : bcqueuelen,
  };
}

/** `runtimeConfig.mac` over CNI_ARGS `MAC` over `mac`, as in the Go plugin. */
function wantedMac(conf: NetConf, args: CniArgs, configured: string | undefined): Mac | undefined {
  const runtime = conf.runtimeConfig['mac'];
  if (runtime !== undefined && runtime !== null && typeof runtime !== 'string') {
    throw invalid('runtimeConfig.mac: must be text');
  }
  const sources = [
    ['runtimeConfig.mac', runtime],
    ['CNI_ARGS MAC', args.values.get('MAC')],
    ['mac', configured],
  ] as const;
  for (const [at, text] of sources) {
    if (typeof text === 'string' && text !== '') return readMac(at, text);
  }
  return undefined;
}

function readMac(at: string, text: string): Mac {
  const mac = parseMac(text);
  if (mac === undefined) {
    throw invalid(`${at}: ${quoted(text)} is not an Ethernet address of six bytes ("02:00:5e:10:00:01")`);
  }
  if (isMulticastMac(mac)) {
    throw invalid(`${at}: ${text} is a multicast address: the first byte must be even`);
  }
  if (isZeroMac(mac)) throw invalid(`${at}: ${text} is no interface's address`);
  return mac;
}

function invalid(text: string): CniError {
  return new CniError('invalid-config', text);
}
