import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCapture, serverTimes } from '../../bench/capture.ts';
import { parseFloor } from '../../bench/floor.ts';
import type { FloorRound, Sequence } from '../../bench/measure-sequence.ts';
import { aboveFloor } from '../../bench/report-sequence.ts';
import { IPV4_ANY, ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { DHCP_MESSAGE_TYPE, type DhcpMessageType } from '../../src/wire/dhcp4/message-type.ts';
import { emitDhcp4 } from '../../src/wire/dhcp4/message.ts';
import { makeOptions } from '../../src/wire/dhcp4/options.ts';
import { emitUdp4Frame } from '../../src/wire/ip/udp4.ts';
import { dhcp4Message } from '../support/dhcp4-message.ts';

const CLIENT = mac('02:00:00:00:00:01');
const OTHER = mac('02:00:00:00:00:02');
const SERVER = mac('02:00:00:00:00:fe');
const { DHCPDISCOVER, DHCPOFFER, DHCPREQUEST, DHCPACK } = DHCP_MESSAGE_TYPE;

type Sent = {
  readonly atMs: number;
  readonly type: DhcpMessageType;
  readonly chaddr?: typeof CLIENT;
  readonly xid?: number;
};

function frameOf({ type, chaddr = CLIENT, xid = 7 }: Sent): Uint8Array {
  const isReply = type === DHCPOFFER || type === DHCPACK;
  const options = makeOptions({ 'dhcp-message-type': type });
  const payload = emitDhcp4(dhcp4Message({ op: isReply ? 'reply' : 'request', xid, chaddr, options }));
  return emitUdp4Frame({
    srcMac: isReply ? SERVER : chaddr,
    dstMac: isReply ? chaddr : mac('ff:ff:ff:ff:ff:ff'),
    src: isReply ? ipv4('10.0.0.1') : IPV4_ANY,
    dst: ipv4('255.255.255.255'),
    srcPort: isReply ? 67 : 68,
    dstPort: isReply ? 68 : 67,
    payload,
  });
}

function pcap(all: readonly Sent[]): Uint8Array {
  const header = new Uint8Array(24);
  new DataView(header.buffer).setUint32(0, 0xa1b23c4d, true);
  const records = all.map((one) => {
    const frame = frameOf(one);
    const record = new Uint8Array(16 + frame.length);
    const view = new DataView(record.buffer);
    view.setUint32(0, Math.floor(one.atMs / 1000), true);
    view.setUint32(4, Math.round((one.atMs % 1000) * 1e6), true);
    view.setUint32(8, frame.length, true);
    view.setUint32(12, frame.length, true);
    record.set(frame, 16);
    return record;
  });
  return new Uint8Array(Buffer.concat([header, ...records]));
}

const EXCHANGE: readonly Sent[] = [
  { atMs: 5000, type: DHCPDISCOVER },
  { atMs: 5000.5, type: DHCPOFFER },
  { atMs: 5010, type: DHCPREQUEST },
  { atMs: 5012.25, type: DHCPACK },
];

test("the server's own time is that of its two answers, without the client's between them", () => {
  const seen = readCapture(pcap([...EXCHANGE, { atMs: 6000, type: DHCPDISCOVER, chaddr: OTHER, xid: 8 }]));
  assert.equal(seen.length, 5);
  assert.deepEqual([...serverTimes(seen)], [[CLIENT, 2.75]], 'an exchange without an end has no time');
});

test('a DISCOVER that is repeated counts from the first one, a renewal with an xid of its own not at all', () => {
  const again: readonly Sent[] = [
    { atMs: 4000, type: DHCPDISCOVER },
    ...EXCHANGE,
    { atMs: 8000, type: DHCPREQUEST, xid: 9 },
    { atMs: 8100, type: DHCPACK, xid: 9 },
  ];
  assert.deepEqual([...serverTimes(readCapture(pcap(again)))], [[CLIENT, 1002.75]]);
});

test('a client that takes another xid for its REQUEST is still one exchange', () => {
  const changed = EXCHANGE.map((one, at) => (at < 2 ? one : { ...one, xid: 8 }));
  assert.deepEqual([...serverTimes(readCapture(pcap(changed)))], [[CLIENT, 2.75]]);
});

test('a capture without nanoseconds is refused, a frame that is still being written left out', () => {
  const file = pcap(EXCHANGE);
  assert.equal(readCapture(file.subarray(0, file.length - 1)).length, 3);
  file[0] = 0;
  assert.throws(() => readCapture(file), /no pcap file with nanoseconds/);
});

test('what is above the floor is the p50 of the ADDs without the p50 of each part', () => {
  const kernel = parseFloor('floor 1000000 20000 30000\nnoise\nfloor 3000000 20000 30000\n');
  assert.deepEqual(kernel[0], { link: 1, enter: 0.02, address: 0.03 });
  const floor: readonly FloorRound[] = [{ emptyMs: [0.5, 0.5], kernel }];
  const round = { addMs: [10, 12, 30], delMs: [], serverMs: [2, 4] };
  const sequence: Sequence = { rounds: [round], failures: [], leftAtServer: 0 };
  assert.equal(aboveFloor(sequence, floor)[0]?.toFixed(3), (12 - 0.5 - 1 - 0.02 - 0.03 - 2).toFixed(3));
  assert.deepEqual(aboveFloor(sequence, []), [], 'a round without a floor does not count');
});
