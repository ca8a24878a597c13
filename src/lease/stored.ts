import { parseJson } from '../base/json.ts';
import { err, ok, type Result } from '../base/result.ts';
import { leftOutOf } from '../protocol/dhcp4/manner.ts';
import { type Dhcp4State, leaseOf } from '../protocol/dhcp4/state.ts';
import type { LeaseStore } from './ports.ts';
import { keyText, type LeaseKey, type LeaseRecord, parseRecord } from './record.ts';

/** Where records are kept, one text per name. All errors are SysErrors. */
export interface RecordFiles {
  put(name: string, text: string): Promise<void>;
  remove(name: string): Promise<void>;
}

/** The store of leases on top of files: what is written can be read again, and nothing else is taken for it. */
export function recordStore(files: RecordFiles, nameOf: (key: string) => string): LeaseStore {
  // A lease is stored again and again, and its key stays the same object.
  const names = new WeakMap<LeaseKey, string>();
  const nameFor = (key: LeaseKey): string => {
    const name = names.get(key) ?? nameOf(keyText(key));
    names.set(key, name);
    return name;
  };
  return {
    put: (record) => files.put(nameFor(record.key), `${JSON.stringify(record)}\n`),
    remove: (record) => files.remove(nameFor(record.key)),
  };
}

/** A stored text as the record that it is, or what is wrong with it. `name` must be the one that its key leads to. */
export function readStored(
  name: string,
  text: string,
  nameOf: (key: string) => string,
): Result<LeaseRecord, string> {
  const json = parseJson(text);
  if (!json.ok) {
    return err(json.error.kind === 'syntax' ? `not JSON: ${json.error.text}` : 'nests too deep');
  }
  const record = parseRecord(json.value);
  if (!record.ok) return record;
  return nameOf(keyText(record.value.key)) === name
    ? ok(record.value)
    : err('the name does not fit the lease inside');
}

/** What of a state has to survive: a lease, the end of a wait for IPv6 only, else which address to ask for again. */
export function storedState(state: Dhcp4State): Dhcp4State {
  if (state.kind === 'bound') return { kind: 'bound', lease: state.lease };
  if (leaseOf(state) !== undefined || state.kind === 'ipv6-only' || state.kind === 'init') return state;
  const leftOut = leftOutOf(state);
  const last = 'acquisition' in state ? state.acquisition.hint : undefined;
  // Only INIT-REBOOT asks whether a lease is still good; who seeks one has none.
  const lapsed = last !== undefined && state.kind !== 'rebooting';
  return {
    kind: 'init',
    last,
    ...(lapsed ? { lapsed } : {}),
    ...(leftOut.length === 0 ? {} : { leftOut }),
  };
}
