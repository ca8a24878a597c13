import { utf8 } from '../../base/bytes.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { splitItems, type Codec } from './codec.ts';
import { decodeName, encodeName, parseName } from './codec-name.ts';
import { decodeText, formatHexText, parseHexText } from './codec-text.ts';

const MAX_COUNTED_BYTES = 255;

/** `0x...` or the text's own bytes, one to 255 of them. */
function parseCounted(text: string): Result<Uint8Array, string> {
  const bytes = parseHexText(text) ?? ok(utf8(text));
  if (!bytes.ok) return bytes;
  const size = bytes.value.length;
  return size === 0 || size > MAX_COUNTED_BYTES ? err(`"${text}" has ${size} bytes, not 1 to 255`) : bytes;
}

/** Opaque classes, each after its length, none empty (RFC 3004 section 4). */
export const userClasses: Codec<readonly Uint8Array[]> = {
  kind: 'user classes',
  decode(bytes) {
    const classes: Uint8Array[] = [];
    let at = 0;
    while (at < bytes.length) {
      const length = bytes[at] ?? 0;
      const end = at + 1 + length;
      if (length === 0) return err('an empty class');
      if (end > bytes.length) return err('the last class is cut off');
      classes.push(bytes.subarray(at + 1, end));
      at = end;
    }
    return classes.length === 0 ? err('no class') : ok(classes);
  },
  encode: (classes) => Uint8Array.from(classes.flatMap((item) => [item.length, ...item])),
  parse(text) {
    const classes: Uint8Array[] = [];
    for (const item of splitItems(text)) {
      const bytes = parseCounted(item);
      if (!bytes.ok) return bytes;
      classes.push(bytes.value);
    }
    return classes.length === 0 ? err('at least one class is needed') : ok(classes);
  },
  format: (classes) => classes.map(formatHexText).join(', '),
};

/** What one vendor, by its IANA enterprise number, says (RFC 3925 sections 3 and 4). */
export type VendorData = { readonly enterprise: number; readonly data: Uint8Array };

const ENTERPRISE_BYTES = 4;
const ENTERPRISE_MAX = 0xffffffff;

/** Options 124 and 125: enterprise number, length, data; repeated. */
export const vendorData: Codec<readonly VendorData[]> = {
  kind: 'vendor data (ENTERPRISE=0x...)',
  decode(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const vendors: VendorData[] = [];
    let at = 0;
    while (at < bytes.length) {
      const length = bytes[at + ENTERPRISE_BYTES];
      if (length === undefined) return err('the last vendor is cut off');
      const start = at + ENTERPRISE_BYTES + 1;
      if (start + length > bytes.length) return err('the data of the last vendor is cut off');
      vendors.push({ enterprise: view.getUint32(at), data: bytes.subarray(start, start + length) });
      at = start + length;
    }
    return vendors.length === 0 ? err('no vendor') : ok(vendors);
  },
  encode(vendors) {
    return Uint8Array.from(
      vendors.flatMap(({ enterprise, data }) => [
        enterprise >>> 24,
        enterprise >>> 16,
        enterprise >>> 8,
        enterprise,
        data.length,
        ...data,
      ]),
    );
  },
  parse(text) {
    const vendors: VendorData[] = [];
    for (const item of splitItems(text)) {
      const match = /^(\d{1,10})=(.+)$/.exec(item);
      const enterprise = Number(match?.[1]);
      if (match === null || enterprise > ENTERPRISE_MAX) return err(`"${item}" is not ENTERPRISE=VALUE`);
      const data = parseCounted(match[2] ?? '');
      if (!data.ok) return data;
      vendors.push({ enterprise, data: data.value });
    }
    return vendors.length === 0 ? err('at least one ENTERPRISE=VALUE is needed') : ok(vendors);
  },
  format: (vendors) => vendors.map((v) => `${v.enterprise}=${formatHexText(v.data)}`).join(', '),
};

/**
 * The client's domain name and who writes it into the DNS (RFC 4702 section 2). A name with a trailing dot is fully
 * qualified; without one it is partial and its wire form has no root label (2.3).
 */
export type ClientFqdn = {
  /** S: the server shall write, or has written, the A record. */
  readonly serverUpdates: boolean;
  /** O: the server has overridden the client's wish. */
  readonly overridden: boolean;
  /** E: the name is in DNS wire form and not in ASCII. */
  readonly encoded: boolean;
  /** N: the server shall write, or has written, nothing. */
  readonly noUpdates: boolean;
  readonly name: string;
};

const FQDN_S = 0x01;
const FQDN_O = 0x02;
const FQDN_E = 0x04;
const FQDN_N = 0x08;
/** Flags and the two obsolete RCODEs. */
const FQDN_HEAD_BYTES = 3;
/** Clients send 0 in both, and nobody reads them any more (RFC 4702 2.2). */
const FQDN_RCODE = 0;

function decodeFqdnName(body: Uint8Array, encoded: boolean): Result<string, string> {
  if (!encoded) return decodeText(body);
  const name = decodeName(body, 0, false);
  if (!name.ok) return name;
  if (name.value.next !== body.length) return err('bytes after the name');
  // The root alone says nothing more than no name at all.
  return ok(name.value.rooted && name.value.name !== '' ? `${name.value.name}.` : name.value.name);
}

export const clientFqdn: Codec<ClientFqdn> = {
  kind: 'domain name with flags',
  decode(bytes) {
    if (bytes.length < FQDN_HEAD_BYTES) return err(`${bytes.length} bytes, at least ${FQDN_HEAD_BYTES}`);
    const flags = bytes[0] ?? 0;
    const encoded = (flags & FQDN_E) !== 0;
    const name = decodeFqdnName(bytes.subarray(FQDN_HEAD_BYTES), encoded);
    if (!name.ok) return name;
    return ok({
      serverUpdates: (flags & FQDN_S) !== 0,
      overridden: (flags & FQDN_O) !== 0,
      encoded,
      noUpdates: (flags & FQDN_N) !== 0,
      name: name.value,
    });
  },
  encode(value) {
    const flags =
      (value.serverUpdates ? FQDN_S : 0) |
      (value.overridden ? FQDN_O : 0) |
      (value.encoded ? FQDN_E : 0) |
      (value.noUpdates ? FQDN_N : 0);
    const name = value.encoded ? encodeName(value.name, value.name.endsWith('.')) : utf8(value.name);
    return Uint8Array.of(flags, FQDN_RCODE, FQDN_RCODE, ...name);
  },
  /** A name in configuration asks the server for the A record, in the encoding that RFC 4702 2.3 prefers. */
  parse(text) {
    const name = parseName(text);
    if (!name.ok) return name;
    return ok({ serverUpdates: true, overridden: false, encoded: true, noUpdates: false, name: text });
  },
  format: (value) => value.name,
};
