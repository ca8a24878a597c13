import { createHmac } from 'node:crypto';

type Hmac = (key: Uint8Array, data: Uint8Array) => Uint8Array;

/** HMAC-MD5 (RFC 2104); undefined where OpenSSL has none, as in a FIPS 140 build or mode. */
export function findHmacMd5(create: typeof createHmac = createHmac): Hmac | undefined {
  const hmac: Hmac = (key, data) => create('md5', key).update(data).digest();
  try {
    hmac(Uint8Array.of(0), new Uint8Array());
    return hmac;
  } catch {
    // createHmac throws what OpenSSL says, in words that differ by its version.
    return undefined;
  }
}
