import { utf8 } from '../../../src/base/bytes.ts';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { NetNs } from '../../../src/kernel/netns.ts';
import { openUdp } from './udp-socket.ts';

// A process of its own with nothing else on its loop: the test runner's wakes up by itself and hides a lost wake-up.
const QUIET_MS = 100;
const WATCHDOG_MS = 2000;

const netns = NetNs.open(process.argv[2] ?? '');
const receiver = openUdp(netns, { ifname: 'lo', localPort: 68 });
const sender = openUdp(netns, { ifname: 'lo', localPort: 67 });
const received = Promise.withResolvers<void>();
receiver.onMessage(() => received.resolve());

// The only other thing that wakes the loop. It looks before the promises that its own wake-up would continue.
let continued = false;
let late = false;
const watchdog = setTimeout(() => {
  late = !continued;
}, WATCHDOG_MS);
setTimeout(() => sender.send(utf8('x'), ipv4('127.0.0.1'), 68), QUIET_MS);
await received.promise;
continued = true;
clearTimeout(watchdog);
receiver.close();
sender.close();
process.stdout.write(late ? 'late' : 'at once');
