import type { TestContext } from 'node:test';
import type { LanPorts } from '../../../src/doctor/ports.ts';
import { NetNs } from '../../../src/kernel/netns.ts';
import { probePorts } from '../../../src/kernel/probe-ports.ts';
import { openProbeSocket } from '../../../src/kernel/probe-socket.ts';
import { Rtnl } from '../../../src/kernel/rtnl.ts';
import { openTimers } from '../../../src/kernel/timers.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';

/** Lines of /sys by their path: what the machine that runs the test says of itself is none of a test's business. */
export type Sys = Readonly<Record<string, string>>;

/** The doctor's view of a node that is a namespace. */
export function nodePorts(t: TestContext, node: Namespace, sys: Sys = {}): LanPorts {
  const netns = NetNs.open(node.path);
  const rtnl = Rtnl.open(netns);
  const timers = openTimers();
  t.after(async () => {
    timers.close();
    await rtnl.close();
    netns.close();
  });
  const ports = probePorts(rtnl, timers);
  return {
    ...ports,
    received: (name) => netns.run(() => ports.received(name)),
    openProbe: (index, membership) => netns.run(() => openProbeSocket(index, membership)),
    readLine: (path) => sys[path],
    exists: (path) => sys[path] !== undefined,
  };
}
