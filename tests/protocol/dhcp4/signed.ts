import type { Ipv4 } from '../../../src/base/ipv4.ts';
import type { Mac } from '../../../src/base/mac.ts';
import { findHmacMd5 } from '../../../src/kernel/hmac-md5.ts';
import { nonceAuthentication, withoutDigest } from '../../../src/wire/dhcp4/authentication.ts';
import { DHCP_MESSAGE_TYPE } from '../../../src/wire/dhcp4/message-type.ts';
import { type Dhcp4Message, emitDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import { DHCP4_OPTIONS, makeOptions, type OptionValues } from '../../../src/wire/dhcp4/options.ts';
import { dhcp4Message } from '../../support/dhcp4-message.ts';

const CODE = DHCP4_OPTIONS.authenticate.code;

export const KEY = Uint8Array.from({ length: 16 }, (_, i) => i * 7 + 1);
export const OTHER_KEY = Uint8Array.from({ length: 16 }, (_, i) => 200 - i);

export function counter(value: number): string {
  return value.toString(16).padStart(16, '0');
}

export function hmacMd5(key: Uint8Array, data: Uint8Array): Uint8Array {
  const hmac = findHmacMd5();
  if (hmac === undefined) throw new Error('this Node has no MD5: the tests of FORCERENEW need it');
  return hmac(key, data);
}

/** Option 90 of an ACK. */
export function nonceOption(key: Uint8Array, replay: number): Uint8Array {
  return nonceAuthentication({ kind: 'nonce', replay: counter(replay), value: key });
}

export type Signing = {
  readonly chaddr: Mac;
  readonly server?: Ipv4 | undefined;
  /** Undefined: not authenticated at all. */
  readonly key?: Uint8Array | undefined;
  readonly replay?: number;
  readonly options?: OptionValues;
  readonly fields?: Partial<Dhcp4Message>;
};

/** A FORCERENEW as a server of RFC 6704 writes it. */
export function forceRenew({ chaddr, server, key, replay = 1, options, fields }: Signing): Uint8Array {
  const all = new Map(
    makeOptions({
      'dhcp-message-type': DHCP_MESSAGE_TYPE.DHCPFORCERENEW,
      ...(server === undefined ? {} : { 'dhcp-server-identifier': server }),
      ...options,
    }),
  );
  const unsigned = { kind: 'digest', replay: counter(replay), value: new Uint8Array(16) } as const;
  if (key !== undefined) all.set(CODE, nonceAuthentication(unsigned));
  const message = dhcp4Message({ op: 'reply', xid: 0x1234_5678, chaddr, options: all, ...fields });
  const bytes = emitDhcp4(message);
  if (key === undefined) return bytes;
  const signed = withoutDigest(bytes);
  if (signed === undefined) throw new Error('a message that we wrote has its option 90 in one piece');
  all.set(CODE, nonceAuthentication({ ...unsigned, value: hmacMd5(key, signed) }));
  return emitDhcp4({ ...message, options: all });
}
