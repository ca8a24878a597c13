import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac, type Mac } from '../../src/base/mac.ts';
import { Inbox } from '../../src/lease/inbox.ts';
import { emitDhcp4 } from '../../src/wire/dhcp4/message.ts';
import { emitUdp4Frame } from '../../src/wire/ip/udp4.ts';
import { OF_SERVER, OUR_MAC, reply, SERVER } from '../protocol/dhcp4/messages.ts';
import { VirtualTime } from './support/time.ts';

const OTHER_MAC = mac('02:00:5e:10:00:02');
const STRANGER = mac('02:00:5e:10:00:99');

function setUp() {
  const counted: string[] = [];
  const time = new VirtualTime('boot-1');
  const opened: number[] = [];
  const letIn: string[] = [];
  const closed: number[] = [];
  const detached = new Set<number>();
  const inbox = new Inbox(
    (index) => {
      opened.push(index);
      return {
        attached: () => !detached.has(index),
        letIn: (address) => {
          letIn.push(`${index} ${address}`);
          return () => void letIn.push(`${index} not ${address}`);
        },
        hearClaims: () => undefined,
        close: () => void closed.push(index),
      };
    },
    (event) => counted.push(event),
    { clock: time, timers: time },
  );
  const heard: string[] = [];
  const listen = (name: string, chaddr: Mac, xid: number | undefined): (() => void) =>
    inbox.register({
      chaddr,
      xid: () => xid,
      deliver: ({ xid: got }) => void heard.push(`${name} ${got}`),
      deliverGarbled: () => void heard.push(`${name} garbled`),
    });
  const say = (chaddr: Mac, xid: number): void =>
    inbox.payload(emitDhcp4(reply('DHCPOFFER', xid, { fields: { chaddr } })), OF_SERVER);
  return { inbox, counted, opened, letIn, closed, detached, heard, listen, say };
}

describe('a message goes', () => {
  test('to the client with its MAC, whatever its xid', () => {
    const { heard, listen, say } = setUp();
    listen('a', OUR_MAC, 1);
    listen('b', OTHER_MAC, 2);
    say(OUR_MAC, 2);
    assert.deepEqual(heard, ['a 2']);
  });

  test('to all with that MAC: two uplinks may have the same', () => {
    const { heard, listen, say } = setUp();
    listen('a', OUR_MAC, 1);
    listen('b', OUR_MAC, 2);
    say(OUR_MAC, 1);
    assert.deepEqual(heard, ['a 1', 'b 1']);
  });

  test('with a strange MAC to the client with its xid, which names it in the diagnosis', () => {
    const { heard, listen, say } = setUp();
    listen('a', OUR_MAC, 1);
    listen('b', OTHER_MAC, 2);
    listen('idle', mac('02:00:5e:10:00:03'), undefined);
    say(STRANGER, 2);
    assert.deepEqual(heard, ['b 2']);
  });

  test('to nobody when it fits nobody', () => {
    const { heard, counted, listen, say } = setUp();
    listen('a', OUR_MAC, 1);
    say(STRANGER, 9);
    assert.deepEqual([heard, counted], [[], []]);
  });

  test('as garbled to the client that it names, so that its diagnosis does not say that nothing came', () => {
    const { inbox, heard, counted, listen } = setUp();
    listen('a', OUR_MAC, 1);
    listen('b', OTHER_MAC, 2);
    const whole = emitDhcp4(reply('DHCPOFFER', 1, { fields: { chaddr: OUR_MAC } }));
    inbox.payload(whole.subarray(0, 200), OF_SERVER);
    inbox.payload(whole.subarray(0, 30), OF_SERVER);
    assert.deepEqual(heard, ['a garbled']);
    assert.deepEqual(counted, ['message-dropped:too-short', 'message-dropped:too-short']);
  });

  test('no longer to who has left, also while it is being delivered', () => {
    const { inbox, heard, listen, say } = setUp();
    const leave = listen('a', OUR_MAC, 1);
    inbox.register({
      chaddr: OTHER_MAC,
      xid: () => 2,
      deliver: () => leave(),
      deliverGarbled: () => undefined,
    });
    say(OTHER_MAC, 2);
    leave();
    say(OUR_MAC, 1);
    assert.deepEqual(heard, []);
    listen('again', OUR_MAC, 1);
    leave();
    say(OUR_MAC, 1);
    assert.deepEqual(heard, ['again 1'], 'leaving twice does not end another one’s place');
  });
});

/** Of a server, to this host alone. */
function fromServer(payload: Uint8Array): Uint8Array {
  return emitUdp4Frame({
    srcMac: OTHER_MAC,
    dstMac: OUR_MAC,
    src: SERVER,
    dst: ipv4('192.168.1.50'),
    srcPort: 67,
    dstPort: 68,
    payload,
  });
}

describe('a FORCERENEW', () => {
  test('goes to who looks after leases, with where it was sent to, and to no exchange', () => {
    const heard: string[] = [];
    const time = new VirtualTime('boot-1');
    const inbox = new Inbox(
      () => ({
        attached: () => true,
        letIn: () => () => undefined,
        hearClaims: () => undefined,
        close: () => undefined,
      }),
      () => undefined,
      { clock: time, timers: time },
      ({ bytes, source, to }, toMac) =>
        void heard.push(`${bytes.length} from ${source.address} ${source.mac} to ${to} ${toMac}`),
    );
    const recipient = {
      chaddr: OUR_MAC,
      xid: () => 1,
      deliver: () => void heard.push('delivered'),
      deliverGarbled: () => void heard.push('garbled'),
    };
    inbox.register(recipient);
    const payload = emitDhcp4(reply('DHCPFORCERENEW', 1));
    inbox.frame(fromServer(payload), true, 2);
    assert.deepEqual(heard, [`${payload.length} from ${SERVER} ${OTHER_MAC} to 192.168.1.50 ${OUR_MAC}`]);
    // What a pod's own interface hears of it was heard at the uplink.
    inbox.payloadFor(recipient, payload, OF_SERVER);
    assert.equal(heard.length, 1);
  });
});

describe('what cannot be read', () => {
  test('is counted by its reason', () => {
    const { inbox, counted } = setUp();
    inbox.payload(new Uint8Array(10), OF_SERVER);
    inbox.frame(new Uint8Array(10), true, 2);
    assert.deepEqual(counted, ['message-dropped:too-short', 'frame-dropped:frame-too-short']);
  });

  test('a frame with a broken checksum, unless the sender left it to the device', () => {
    const { inbox, counted, heard, listen } = setUp();
    listen('a', OUR_MAC, 1);
    const frame = fromServer(emitDhcp4(reply('DHCPOFFER', 1)));
    frame[41] = (frame[41] ?? 0) ^ 1;
    inbox.frame(frame, true, 2);
    assert.deepEqual([counted, heard], [['frame-dropped:bad-udp-checksum'], []]);
    inbox.frame(frame, false, 2);
    assert.deepEqual(heard, ['a 1']);
  });
});

describe('taps', () => {
  test('one per uplink, for ever', () => {
    const { inbox, opened, closed } = setUp();
    inbox.listen(2);
    inbox.listen(2);
    inbox.listen(3);
    assert.deepEqual([opened, closed], [[2, 3], []]);
    inbox.close();
    assert.deepEqual(closed, [2, 3]);
  });

  test('that of an uplink that is gone is closed, and the same index is opened anew', () => {
    const { inbox, opened, closed, detached } = setUp();
    inbox.listen(2);
    inbox.listen(3);
    detached.add(2);
    inbox.listen(3);
    assert.deepEqual(closed, [2]);
    detached.delete(2);
    inbox.listen(2);
    assert.deepEqual(opened, [2, 3, 2]);
  });

  test('a MAC address is let in by the tap of its uplink, and where there is none nothing is done', () => {
    const { inbox, letIn } = setUp();
    inbox.listen(2);
    inbox.letIn(3, OUR_MAC)();
    inbox.letIn(2, OUR_MAC)();
    assert.deepEqual(letIn, [`2 ${OUR_MAC}`, `2 not ${OUR_MAC}`]);
  });
});
