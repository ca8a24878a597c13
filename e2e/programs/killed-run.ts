// A run that ends without an end: makes a LAN and a node that is on, prints the prefix of its names, and is killed.
import { parseIpv4 } from '../../src/base/ipv4.ts';
import { createLan } from '../support/cluster/lan.ts';
import { Node } from '../support/cluster/node.ts';

const address = parseIpv4('192.168.2.11');
if (address === undefined) throw new Error('no address');
const lan = await createLan();
const plan = { name: 'n1', address: { address, prefix: 24 }, mac: '02:00:00:00:01:01', hosts: '' };
await new Node(lan, plan).powerOn();
process.stdout.write(lan.prefix, () => process.kill(process.pid, 'SIGKILL'));
