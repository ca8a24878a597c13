import { isJsonObject, parseJson } from '../base/json.ts';
import { fileFingerprint, type Fingerprint } from '../install/fingerprint.ts';
import { LOOPBACK } from '../install/plan.ts';

/** Whether a file goes to the plugins or to the network configurations. */
export type Place = 'plugin' | 'network';

/** A file that is to be on the node. */
export type Wish = {
  readonly place: Place;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly print: Fingerprint;
  /** Whoever has something there may keep it: it is put only where there is nothing. */
  readonly yields: boolean;
};

const EXECUTABLE = 0o755;
/** As the Go plugins' own documents say: a network configuration may hold keys. */
const OWNER_ONLY = 0o600;
/** The names that libcni loads (conf.go): with another one no runtime would read it. */
const CONFLIST_NAME = /^[A-Za-z0-9][\w.-]{0,200}\.conflist$/;

export function pluginWish(name: string, bytes: Uint8Array): Wish {
  return {
    place: 'plugin',
    name,
    bytes,
    mode: EXECUTABLE,
    print: fileFingerprint(bytes),
    yields: name === LOOPBACK,
  };
}

/** Throws an Error for a text that is no list of plugins, or a name that no runtime reads. */
export function networkWish(name: string, text: string): Wish {
  if (!CONFLIST_NAME.test(name)) {
    throw new Error(`--conflist-name ${name}: must be the name of a file that ends in .conflist`);
  }
  const json = parseJson(text);
  if (!json.ok || !isJsonObject(json.value) || !Array.isArray(json.value['plugins'])) {
    throw new Error(
      '--conflist: is no network configuration list: a JSON object with "cniVersion", "name" and "plugins"',
    );
  }
  const bytes = new TextEncoder().encode(text.endsWith('\n') ? text : `${text}\n`);
  return { place: 'network', name, bytes, mode: OWNER_ONLY, print: fileFingerprint(bytes), yields: false };
}
