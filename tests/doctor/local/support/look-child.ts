import { localFindings, viewNode } from '../../../../src/doctor/local/local-findings.ts';
import type { NodePlaces } from '../../../../src/doctor/local/places.ts';
import type { DaemonView } from '../../../../src/doctor/local/ports.ts';
import { KernelNodeFacts } from '../../../../src/kernel/node-facts.ts';
import { Rtnl } from '../../../../src/kernel/rtnl.ts';

/** Started in a node's namespace by node.ts: prints what the local checks find there. */
type Task = {
  readonly places: NodePlaces;
  readonly daemon: DaemonView;
  readonly uplink?: string;
  /** Milliseconds since 1970, in place of the clock. */
  readonly wallClock?: number;
};

const task = JSON.parse(process.argv[2] ?? '') as Task;
await using rtnl = Rtnl.open();
const facts = new KernelNodeFacts(rtnl);
const { wallClock } = task;
if (wallClock !== undefined) facts.wallClock = () => wallClock;
const view = await viewNode(facts, task.places, task.daemon, task.uplink);
const report = await localFindings(view);
console.log(JSON.stringify({ ...report, services: view.services }));
