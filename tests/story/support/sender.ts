import { createSocket } from 'node:dgram';

/**
 * A client for tests that sends a datagram every 5 ms, to each address and port in turn, and expects nothing:
 * `sender.ts ADDRESS:PORT...`. Says after each round how many it was, as a line.
 */

const SEND_EVERY_MS = 5;

const targets = process.argv.slice(2).map((text) => {
  const [address = '', port = ''] = text.split(':');
  return { address, port: Number(port) };
});
const socket = createSocket('udp4');
let rounds = 0;

socket.on('error', ({ message }) => console.error(message));
setInterval(() => {
  // What is refused on the way is none of this client's business: it goes on.
  for (const { address, port } of targets) socket.send('who', port, address, () => undefined);
  rounds += 1;
  console.log(rounds);
}, SEND_EVERY_MS);
