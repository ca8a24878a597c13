import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { Inbox } from '../../src/lease/inbox.ts';
import { announcement, probe } from '../../src/protocol/acd4/packets.ts';
import { type ArpPacket, emitArpFrame } from '../../src/wire/arp.ts';
import { VirtualTime } from './support/time.ts';

const HOST = mac('02:00:5e:10:00:02');
const BROADCAST = mac('ff:ff:ff:ff:ff:ff');
const A = ipv4('192.168.1.50');
const B = ipv4('192.168.1.51');
const REPLY: ArpPacket = { ...announcement(A, HOST), op: 'reply', targetIp: B };

function setUp() {
  const counted: string[] = [];
  const time = new VirtualTime('boot-1');
  const taps = new Map<number, (frame: Uint8Array, checksumReady: boolean) => void>();
  const inbox = new Inbox(
    (index, onFrame) => {
      taps.set(index, onFrame);
      return {
        attached: () => true,
        letIn: () => () => undefined,
        hearClaims: () => undefined,
        close: () => undefined,
      };
    },
    (event) => counted.push(event),
    { clock: time, timers: time },
  );
  inbox.listen(2);
  inbox.listen(3);
  const say = (packet: ArpPacket, uplink = 2): void =>
    taps.get(uplink)?.(emitArpFrame(HOST, BROADCAST, packet), true);
  const heard: string[] = [];
  const watch = (name: string, address = A): (() => void) =>
    inbox.watchArp(address, ({ op, senderIp }, uplink) =>
      heard.push(`${name}: ${op} ${senderIp} on ${uplink}`),
    );
  return { inbox, counted, say, heard, watch };
}

describe('ARP goes', () => {
  test('to all who watch the sender’s address, with the uplink where it was heard', () => {
    const { say, heard, watch } = setUp();
    watch('a');
    watch('also a');
    watch('b', B);
    say(REPLY);
    say(announcement(B, HOST), 3);
    assert.deepEqual(heard, [
      'a: reply 192.168.1.50 on 2',
      'also a: reply 192.168.1.50 on 2',
      'b: request 192.168.1.51 on 3',
    ]);
  });

  test('without a sender’s address to who watches the target: a probe', () => {
    const { say, heard, watch } = setUp();
    watch('a');
    watch('b', B);
    watch('nobody', IPV4_ANY);
    say(probe(A, HOST));
    assert.deepEqual(heard, ['a: request 0.0.0.0 on 2']);
  });

  test('to nobody when nobody watches, and no longer to who has left', () => {
    const { say, heard, watch, counted } = setUp();
    const leave = watch('a');
    leave();
    leave();
    say(REPLY);
    watch('later');
    leave();
    say(REPLY);
    assert.deepEqual([heard, counted], [['later: reply 192.168.1.50 on 2'], []]);
  });

  test('on when one leaves while it is delivered; the same function may watch twice', () => {
    const { inbox, say } = setUp();
    let calls = 0;
    const leaves: (() => void)[] = [];
    const watcher = (): void => {
      calls += 1;
      leaves.pop()?.();
    };
    leaves.push(inbox.watchArp(A, watcher), inbox.watchArp(A, watcher), inbox.watchArp(A, watcher));
    say(REPLY);
    assert.equal(calls, 2, 'the third had left when its turn came');
    say(REPLY);
    assert.equal(calls, 3);
  });
});

test('what is no good ARP is counted by its reason; what is neither ARP nor IPv4, as before', () => {
  const { inbox, counted } = setUp();
  const frame = emitArpFrame(HOST, BROADCAST, REPLY);
  inbox.frame(frame.subarray(0, 30), true, 2);
  inbox.frame(frame.with(21, 9), true, 2);
  inbox.frame(frame.with(18, 8), true, 2);
  inbox.frame(frame.with(12, 0x86).with(13, 0xdd), true, 2);
  assert.deepEqual(counted, [
    'frame-dropped:frame-too-short',
    'frame-dropped:bad-arp-operation',
    'frame-dropped:not-ethernet-ipv4',
    'frame-dropped:not-ipv4',
  ]);
});
