import { cidr } from '../../../src/base/cidr.ts';
import { IPV4_ANY, IPV4_BROADCAST, ipv4, type Ipv4 } from '../../../src/base/ipv4.ts';
import { mac, type Mac } from '../../../src/base/mac.ts';
import type { SysError } from '../../../src/base/sys-error.ts';
import { type Instant, instant } from '../../../src/base/time.ts';
import type { HeardFrame, LanPorts, ProbedLink } from '../../../src/doctor/ports.ts';
import { DHCP_MESSAGE_TYPE, type DhcpMessageType } from '../../../src/wire/dhcp4/message-type.ts';
import { type Dhcp4Message, emitDhcp4, parseDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import { makeOptions } from '../../../src/wire/dhcp4/options.ts';
import { emitUdp4Frame, parseUdp4Frame } from '../../../src/wire/ip/udp4.ts';

export const OWN = mac('02:00:5e:10:00:01');
export const SERVER_MAC = mac('02:00:5e:10:00:fe');
export const ROUTER = ipv4('192.168.2.1');
const ADDRESS = cidr('192.168.2.10/24');
const BROADCAST = mac('ff:ff:ff:ff:ff:ff');

/** A DISCOVER as it left: the message, and the source of its frame. */
export type Asked = { readonly message: Dhcp4Message; readonly source: Mac; readonly stranger: boolean };

export type Reply = {
  readonly type?: DhcpMessageType;
  readonly address?: Ipv4;
  readonly server?: Ipv4;
  readonly router?: Ipv4;
  readonly text?: string;
  /** Option 80 in it. */
  readonly rapid?: boolean;
};

/** The reply of a server to a DISCOVER, as a frame. */
export function replyFrame({ message }: Asked, reply: Reply = {}): Uint8Array {
  const { type = DHCP_MESSAGE_TYPE.DHCPOFFER, server = ROUTER, router = ROUTER, text } = reply;
  const payload = emitDhcp4({
    ...message,
    op: 'reply',
    yiaddr: reply.address ?? ipv4('192.168.2.77'),
    siaddr: IPV4_ANY,
    options: makeOptions({
      'dhcp-message-type': type,
      'dhcp-server-identifier': server,
      'subnet-mask': ipv4('255.255.255.0'),
      routers: [router],
      ...(text === undefined ? {} : { 'dhcp-message': text }),
      ...(reply.rapid === true ? { 'rapid-commit': true } : {}),
    }),
  });
  const ends = { src: server, dst: IPV4_BROADCAST, srcPort: 67, dstPort: 68 };
  return emitUdp4Frame({ srcMac: SERVER_MAC, dstMac: BROADCAST, ...ends, payload });
}

/** A LAN on virtual time: `answer` says what comes back for each DISCOVER, at once. */
export class FakeLan implements LanPorts {
  readonly #timers = new Set<{ readonly at: Instant; readonly callback: () => void }>();
  #now = instant(1000);
  #random = 1;
  #handler: ((frame: HeardFrame) => void) | undefined;
  /** How many probes were opened; how many of them are closed. */
  opened = 0;
  closed = 0;
  readonly asked: Asked[] = [];
  readonly sent: Uint8Array[] = [];
  answer: (asked: Asked) => readonly Uint8Array[] = () => [];
  sendError: SysError | undefined;
  openError: SysError | undefined;
  uplink: ProbedLink | undefined = {
    index: 3,
    name: 'eth0',
    mac: OWN,
    up: true,
    lowerUp: true,
    addresses: [{ address: ipv4('192.168.2.10'), prefix: ADDRESS.prefix }],
  };
  readonly sys = new Map<string, string>();

  readonly clock = { now: (): Instant => this.#now };
  readonly timers = {
    at: (at: Instant, callback: () => void): (() => void) => {
      const timer = { at, callback };
      this.#timers.add(timer);
      return () => this.#timers.delete(timer);
    },
  };
  readonly random = (): number => this.#random++;
  link = (): Promise<ProbedLink | undefined> => Promise.resolve(this.uplink);
  ownMacs = (): Promise<ReadonlySet<Mac>> => Promise.resolve(new Set([OWN]));
  readLine = (path: string): string | undefined => this.sys.get(path);
  received = (): number | undefined => undefined;
  exists = (path: string): boolean => this.sys.has(path);

  openProbe: LanPorts['openProbe'] = () => {
    if (this.openError !== undefined) throw this.openError;
    this.opened++;
    return {
      send: (frame) => this.#send(frame),
      onFrame: (handler) => {
        this.#handler = handler;
      },
      close: () => {
        this.closed++;
        return Promise.resolve();
      },
    };
  };

  /** A frame arrives. */
  hear(bytes: Uint8Array, vlan?: number): void {
    this.#handler?.({ bytes, at: this.#now, vlan, checksumReady: true });
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Lets time pass, timers in their order, and what waits for them after each. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const [next] = [...this.#timers].toSorted((a, b) => a.at - b.at);
      if (next === undefined || next.at > end) break;
      this.#timers.delete(next);
      this.#now = instant(Math.max(this.#now, next.at));
      next.callback();
    }
    this.#now = instant(end);
  }

  #send(frame: Uint8Array): SysError | undefined {
    if (this.sendError !== undefined) return this.sendError;
    this.sent.push(frame);
    const udp = parseUdp4Frame(frame, { checksumReady: true });
    const message = udp.ok ? parseDhcp4(udp.value.payload) : undefined;
    if (!udp.ok || message?.ok !== true) return undefined;
    const stranger = message.value.options.has(61);
    const asked = { message: message.value, source: udp.value.srcMac, stranger };
    this.asked.push(asked);
    // After the send: its transaction is known only then.
    queueMicrotask(() => {
      for (const reply of this.answer(asked)) this.hear(reply);
    });
    return undefined;
  }
}

/** Enough turns for every promise that waits for nothing but promises. */
async function settle(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
