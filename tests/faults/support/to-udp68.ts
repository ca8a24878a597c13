import { createSocket } from 'node:dgram';

// A third machine: sends to UDP port 68 of the first argument, ten times a second, the second argument from port 67 and
// the third one from a port that the kernel chooses.

const EVERY_MS = 100;
const [to = '', fromServerPort = '', fromAnother = ''] = process.argv.slice(2);
const server = createSocket({ type: 'udp4', reuseAddr: true });
const another = createSocket('udp4');
server.bind(67, () => {
  another.bind(0, () => {
    process.stdout.write('ready\n');
    setInterval(() => {
      server.send(fromServerPort, 68, to);
      another.send(fromAnother, 68, to);
    }, EVERY_MS);
  });
});
