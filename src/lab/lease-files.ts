import { parseIpv4, type Ipv4 } from '../base/ipv4.ts';
import { parseMac, type Mac } from '../base/mac.ts';

/**
 * A lease as the server's own file has it. `clientId` is lower-case hex with colons, undefined when the client sent
 * none; `expiresAt` is Unix time in seconds, undefined for a lease without end.
 */
export type ServerLease = {
  readonly ip: Ipv4;
  readonly mac: Mac;
  readonly clientId: string | undefined;
  readonly hostname: string | undefined;
  readonly expiresAt: number | undefined;
};

function isCurrent(lease: ServerLease, nowSeconds: number): boolean {
  return lease.expiresAt === undefined || lease.expiresAt > nowSeconds;
}

/** dnsmasq writes "*" for a host name or client-id that was not sent. */
function starred(text: string | undefined): string | undefined {
  return text === undefined || text === '*' || text === '' ? undefined : text.toLowerCase();
}

/**
 * dnsmasq's lease file: one line per lease, `expiry mac address hostname client-id`, where expiry 0 means never. A
 * line of another form (the DHCPv6 part starts with "duid") is passed over.
 */
export function parseDnsmasqLeases(text: string, nowSeconds: number): readonly ServerLease[] {
  return text.split('\n').flatMap((line) => {
    const [expiry = '', hardware = '', address = '', hostname, clientId] = line.split(' ');
    const ip = parseIpv4(address);
    const mac = parseMac(hardware);
    if (ip === undefined || mac === undefined || !/^\d+$/.test(expiry)) return [];
    const expiresAt = expiry === '0' ? undefined : Number(expiry);
    const lease = { ip, mac, hostname: starred(hostname), clientId: starred(clientId), expiresAt };
    return isCurrent(lease, nowSeconds) ? [lease] : [];
  });
}

/** Kea's states: 0 is a lease in use; declined, reclaimed and released ones have others. */
const KEA_STATE_DEFAULT = '0';
/** Kea writes an endless lifetime as all ones. */
const KEA_INFINITE = 0xffff_ffff;

function keaField(text: string | undefined): string | undefined {
  const plain = text?.replaceAll('&#x2c', ',');
  return plain === undefined || plain === '' ? undefined : plain.toLowerCase();
}

/**
 * Kea's memfile CSV is a journal: the last row of an address is what holds, a released lease is a row with lifetime 0.
 * Columns go by the names in the first line, because releases of Kea add some.
 */
export function parseKeaLeases(text: string, nowSeconds: number): readonly ServerLease[] {
  const [head = '', ...lines] = text.split('\n');
  const columns = new Map(head.split(',').map((name, at) => [name.trim(), at]));
  const latest = new Map<Ipv4, ServerLease | undefined>();
  for (const line of lines) {
    const cells = line.split(',');
    const cell = (name: string): string | undefined => cells[columns.get(name) ?? -1];
    const ip = parseIpv4(cell('address') ?? '');
    if (ip === undefined) continue;
    const mac = parseMac(cell('hwaddr') ?? '');
    const lifetime = Number(cell('valid_lifetime'));
    const inUse = mac !== undefined && lifetime > 0 && cell('state') === KEA_STATE_DEFAULT;
    const expiresAt = lifetime === KEA_INFINITE ? undefined : Number(cell('expire'));
    const lease = inUse
      ? { ip, mac, hostname: keaField(cell('hostname')), clientId: keaField(cell('client_id')), expiresAt }
      : undefined;
    latest.set(ip, lease);
  }
  return [...latest.values()].flatMap((lease) =>
    lease !== undefined && isCurrent(lease, nowSeconds) ? [lease] : [],
  );
}
