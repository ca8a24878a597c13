import { createSocket } from 'node:dgram';

// A DHCP client, relay or server in a pod, as far as its socket goes: UDP port 68 on all addresses. Argument: `alone`
// (without SO_REUSEADDR) or `shared`. Each datagram that it gets is a line.

const CLIENT_PORT = 68;
const socket = createSocket({ type: 'udp4', reuseAddr: process.argv[2] === 'shared' });
socket.on('message', (text) => process.stdout.write(`got ${text.toString('latin1')}\n`));
socket.bind(CLIENT_PORT, () => process.stdout.write('ready\n'));
