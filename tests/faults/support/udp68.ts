import { createSocket } from 'node:dgram';

// A DHCP client, relay or server in a pod, as far as its socket goes: UDP port 68 on all addresses. Argument: `alone`
// (without SO_REUSEADDR) or `shared`. Each datagram that it gets is a line.

const CLIENT_PORT = 68;
const RETRY_MS = 50;
const how = process.argv[2];

/** One that shares the port has it at once; one that wants it alone is started again, as services are, until it has it. */
function open(): void {
  const socket = createSocket({ type: 'udp4', reuseAddr: how === 'shared' });
  socket.on('message', (text) => process.stdout.write(`got ${text.toString('latin1')}\n`));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (how === 'shared' || error.code !== 'EADDRINUSE') throw error;
    socket.close();
    setTimeout(open, RETRY_MS);
  });
  socket.bind(CLIENT_PORT, () => process.stdout.write('ready\n'));
}

open();
