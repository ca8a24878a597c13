import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { probePorts } from '../../src/kernel/probe-ports.ts';
import { openTimers } from '../../src/kernel/timers.ts';
import { asRoot, makePair, Sandbox } from './support/sandbox.ts';

const COUNT = `
  import { probePorts } from '${import.meta.resolve('../../src/kernel/probe-ports.ts')}';
  console.log(probePorts(undefined, undefined).received('v0') ?? 'none');
`;

test("received frames are those of the namespace's own interface, whatever /sys shows", asRoot, async () => {
  await using sandbox = new Sandbox('received');
  const { leftRtnl, rightRtnl, rightLink } = await makePair(sandbox);
  const timers = openTimers();
  const inside = (...command: readonly string[]): string =>
    execFileSync('nsenter', [`--net=${sandbox.path('left')}`, ...command], { encoding: 'utf8' }).trim();
  const count = (): string => inside(process.execPath, '--input-type=module', '-e', COUNT);
  const before = Number(count());
  // Without mounting /sys anew, as nsenter leaves it: the interface is not there.
  assert.throws(() => inside('cat', '/sys/class/net/v0/statistics/rx_packets'));
  await rightRtnl.addresses.add({ index: rightLink.index, cidr: { address: ipv4('10.9.0.1'), prefix: 24 } });
  // Nobody answers; the ARP request is a frame all the same.
  assert.throws(() =>
    execFileSync('nsenter', [`--net=${sandbox.path('right')}`, 'ping', '-c', '1', '-W', '1', '10.9.0.9'], {
      stdio: 'ignore',
    }),
  );
  assert.ok(Number(count()) > before, `${count()} after ${before}`);
  assert.equal(probePorts(leftRtnl, timers).received('v0'), undefined, 'from outside there is no v0');
  timers.close();
});
