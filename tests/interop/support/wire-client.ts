import { randomInt } from 'node:crypto';
import { IPV4_ANY, IPV4_BROADCAST, type Ipv4 } from '../../../src/base/ipv4.ts';
import { BROADCAST_MAC, mac, type Mac } from '../../../src/base/mac.ts';
import { HostFrameSender } from '../../../src/kernel/frame-sender.ts';
import { readLink } from '../../../src/kernel/link-ioctl.ts';
import { NetNs } from '../../../src/kernel/netns.ts';
import { UPLINK, type Host } from '../../../src/lab/host.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { emitDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import { DHCP_MESSAGE_TYPE, type DhcpMessageType } from '../../../src/wire/dhcp4/message-type.ts';
import { makeOptions, type OptionValues } from '../../../src/wire/dhcp4/options.ts';
import { emitUdp4Frame } from '../../../src/wire/ip/udp4.ts';
import type { Capture } from '../../faults/support/capture.ts';
import { isDhcp, typeOf, valueOf, type DhcpFrame } from './seen.ts';
import { dhcp4Message } from '../../support/dhcp4-message.ts';

const { DHCPDISCOVER, DHCPREQUEST } = DHCP_MESSAGE_TYPE;
const PORT = { server: 67, client: 68 } as const;
const MAX_XID = 2 ** 32;
/** A server that handles messages side by side may answer a later one first; not by two whole exchanges. */
const SENTINELS = 2;
const ANSWER = { deadlineMs: 15_000, everyMs: 20 };
/** Always the same: it is offered one address, however often it asks. */
const SENTINEL = mac('02:5e:00:54:00:01');

/** Who speaks, and what is sent besides the type. */
export type Words = {
  readonly client: Mac;
  /** Option 61; undefined: none. */
  readonly id?: Uint8Array | undefined;
  readonly ciaddr?: Ipv4;
  readonly options?: OptionValues;
};

/**
 * Messages that a client would not send when it is told to, from a machine of the LAN in the name of any MAC address. What
 * is answered is seen in a capture.
 */
export class WireClient implements AsyncDisposable {
  readonly #sender: HostFrameSender;
  readonly #ifindex: number;
  readonly #capture: Capture;

  constructor(host: Host, capture: Capture) {
    using netns = NetNs.open(host.namespace.path);
    this.#sender = netns.run(() => new HostFrameSender());
    this.#ifindex = readLink(UPLINK, netns)?.index ?? 0;
    this.#capture = capture;
  }

  /** DISCOVER, and the OFFER to it. */
  async discover(words: Words): Promise<DhcpFrame> {
    return await this.#answerTo(this.#say(DHCPDISCOVER, words));
  }

  /** REQUEST, and the answer to it; undefined for silence. */
  async request(words: Words): Promise<DhcpFrame | undefined> {
    const xid = this.#say(DHCPREQUEST, words);
    await this.settled();
    return await this.#replyTo(xid);
  }

  /** DISCOVER, OFFER, REQUEST, ACK: the address. Throws at anything else than an ACK. */
  async lease(words: Words): Promise<Ipv4> {
    const offer = await this.discover(words);
    const server = valueOf(offer, 'dhcp-server-identifier');
    const options: OptionValues = {
      'dhcp-requested-address': offer.message.yiaddr,
      ...(server === undefined ? {} : { 'dhcp-server-identifier': server }),
    };
    const ack = await this.#answerTo(this.#say(DHCPREQUEST, { ...words, options }));
    if (typeOf(ack) !== 'DHCPACK') throw new Error(`${typeOf(ack)} to the REQUEST for an OFFER`);
    return ack.message.yiaddr;
  }

  /** Returns when the server has answered what it had been sent before, and the capture has that. */
  async settled(): Promise<void> {
    for (let sentinel = 0; sentinel < SENTINELS; sentinel += 1) await this.discover({ client: SENTINEL });
  }

  async #replyTo(xid: number): Promise<DhcpFrame | undefined> {
    const frames = await this.#capture.frames();
    return frames.filter(isDhcp).find(({ message }) => message.op === 'reply' && message.xid === xid);
  }

  async #answerTo(xid: number): Promise<DhcpFrame> {
    return await waitFor('an answer of the server', async () => await this.#replyTo(xid), ANSWER);
  }

  #say(type: DhcpMessageType, { client, id, ciaddr = IPV4_ANY, options = {} }: Words): number {
    const xid = randomInt(MAX_XID);
    const identified: OptionValues = id === undefined ? {} : { 'dhcp-client-identifier': id };
    const message = dhcp4Message({
      op: 'request',
      xid,
      ciaddr,
      chaddr: client,
      options: makeOptions({ 'dhcp-message-type': type, ...identified, ...options }),
    });
    const frame = emitUdp4Frame({
      srcMac: client,
      dstMac: BROADCAST_MAC,
      src: ciaddr,
      dst: IPV4_BROADCAST,
      srcPort: PORT.client,
      dstPort: PORT.server,
      payload: emitDhcp4(message),
    });
    const failed = this.#sender.send(this.#ifindex, frame);
    if (failed !== undefined) throw failed;
    return xid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sender.close();
  }
}
