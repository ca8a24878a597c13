import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeBpf } from '../../../src/wire/bpf-assembler.ts';
import { linkRemovedProgram, networkProgram } from '../../../src/wire/netlink/notice-filter.ts';
import { decodeBpf, runBpf } from '../bpf-machine.ts';

/** RTM_NEWNEIGH and RTM_DELNEIGH of 10.9.0.77 as Linux 6.18 sent them, header included. */
const NEW_NEIGHBOUR =
  '400000001c00000000000000a7630000020000000300000020000001080001000a09004d08000400000000001400030022000000220000002200000001000000';
const OLD_NEIGHBOUR =
  '400000001d0000000000000000000000020000000300000020000001080001000a09004d08000400000000001400030022000000220000002200000000000000';
/** RTM_NEWNETCONF. */
const SYSCTL = '240000005000000000000000000000000200000008000100030000000800030001000000';

/** nlmsg_pid, and a port id: the kernel gives numbers from the top. */
const [PID_AT, OWN] = [12, 0xd4_5a_11_07];

/** nlmsg_type and ndm_family. */
const [TYPE_AT, FAMILY_AT] = [4, 16];
const [AF_UNSPEC, AF_INET6, AF_BRIDGE] = [0, 10, 7];

function isHeard(bytes: Uint8Array): boolean {
  return runBpf(decodeBpf(encodeBpf(networkProgram(OWN))), bytes) >= bytes.length;
}

/** RTM_DELLINK of the interface 2, "eth0", as far as it matters: header, struct ifinfomsg, name. */
const LINK_GONE = '2c00000011000000000000000000000000000100020000000210000000000000090003006574683000000000';
const INDEX_AT = 20;

function hearsEndOf(index: number, bytes: Uint8Array): boolean {
  return runBpf(decodeBpf(encodeBpf(linkRemovedProgram(index))), bytes) > 0;
}

test('neighbours of IPv4 are heard, those of IPv6 and of bridges are not', () => {
  for (const hex of [NEW_NEIGHBOUR, OLD_NEIGHBOUR]) {
    const notice = Uint8Array.fromHex(hex);
    assert.equal(isHeard(notice), true);
    for (const family of [AF_UNSPEC, AF_INET6, AF_BRIDGE]) {
      assert.equal(isHeard(notice.with(FAMILY_AT, family)), false);
    }
  }
});

test('all else is heard, whatever its family', () => {
  const notice = Uint8Array.fromHex(SYSCTL);
  for (let type = 16; type < 0x200; type++) {
    if (type === 28 || type === 29) continue;
    const other = notice.with(TYPE_AT, type % 256).with(TYPE_AT + 1, Math.floor(type / 256));
    assert.equal(isHeard(other), true, `type ${type}`);
    assert.equal(isHeard(other.with(FAMILY_AT, AF_BRIDGE)), true, `type ${type}`);
  }
});

test('the end of one link is heard, not that of another, not that it leaves a bridge, and nothing else', () => {
  const notice = Uint8Array.fromHex(LINK_GONE);
  assert.equal(hearsEndOf(2, notice), true);
  assert.equal(hearsEndOf(3, notice), false);
  assert.equal(hearsEndOf(2 ** 24 + 2, notice), false);
  assert.equal(hearsEndOf(2 ** 24 + 2, notice.with(INDEX_AT + 3, 1)), true);
  for (const family of [AF_INET6, AF_BRIDGE])
    assert.equal(hearsEndOf(2, notice.with(FAMILY_AT, family)), false);
  for (const type of [16, 18, 28, 29]) assert.equal(hearsEndOf(2, notice.with(TYPE_AT, type)), false);
});

test('routes and neighbours that we change are not heard; the same from others, and all else of ours, is', () => {
  const own = new Uint8Array(Uint32Array.of(OWN).buffer);
  const byUs = (hex: string, type: number): Uint8Array => {
    const notice = Uint8Array.fromHex(hex).with(TYPE_AT, type);
    notice.set(own, PID_AT);
    return notice;
  };
  for (const type of [24, 25, 28, 29]) {
    const notice = byUs(NEW_NEIGHBOUR, type);
    assert.equal(isHeard(notice), false, `type ${type}`);
    for (let at = PID_AT; at < PID_AT + own.length; at++) {
      assert.equal(isHeard(notice.with(at, 0)), true, `type ${type}`);
    }
  }
  for (const type of [16, 17, 20, 21, 32, 33, 80])
    assert.equal(isHeard(byUs(SYSCTL, type)), true, `type ${type}`);
});
