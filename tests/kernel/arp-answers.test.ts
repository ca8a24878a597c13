import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { macFromBytes } from '../../src/base/mac.ts';
import { HostFrameSender } from '../../src/kernel/frame-sender.ts';
import { openTap } from '../../src/kernel/packet-tap.ts';
import { PodNetwork } from '../../src/kernel/pod-network.ts';
import { probe } from '../../src/protocol/acd4/packets.ts';
import { emitArpToAll, parseArpFrame } from '../../src/wire/arp.ts';
import { dhcpClientFilter } from '../../src/wire/bpf.ts';
import { addPod, asRoot, makePair, Sandbox, until } from './support/sandbox.ts';

const ADDRESS = ipv4('10.9.0.2');
/** In the same network, as a host of the LAN has it. */
const ASKING = ipv4('10.9.0.7');

/** As the daemon sets up a macvlan pod: its kernel answers for the address, and nobody has to do anything for it. */
test(
  'a pod answers a probe and an ordinary question for its address, each by unicast (RFC 5227 2.5, 2.6)',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('answers');
    const pair = await makePair(sandbox);
    const { left, rightRtnl, leftLink } = pair;
    const { link } = await addPod(sandbox, pair, 'pod');
    const { index, mac } = link;
    const asker = leftLink.mac;
    assert.ok(asker !== undefined);
    const pod = PodNetwork.open(sandbox.path('pod'), rightRtnl);
    await pod.configure(index, { addresses: [cidr(`${ADDRESS}/24`)], routes: [], arpIgnore: true });
    pod.close();

    await using tap = left.run(() => openTap(leftLink.index, dhcpClientFilter()));
    const answers: unknown[] = [];
    tap.onFrame((frame) => {
      const packet = parseArpFrame(frame);
      if (!packet.ok || packet.value.op !== 'reply') return;
      answers.push({ to: macFromBytes(frame, 0), ...packet.value });
    });
    await using sender = left.run(() => new HostFrameSender());
    const reply = { to: asker, op: 'reply', senderMac: mac, senderIp: ADDRESS, targetMac: asker };
    for (const question of [probe(ADDRESS, asker), { ...probe(ADDRESS, asker), senderIp: ASKING }]) {
      answers.length = 0;
      assert.equal(sender.send(leftLink.index, emitArpToAll(question)), undefined);
      await until(`${question.senderIp} is answered`, () => answers.length > 0);
      assert.deepEqual(answers, [{ ...reply, targetIp: question.senderIp }]);
    }
  },
);
