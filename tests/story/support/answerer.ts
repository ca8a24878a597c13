import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * A server for tests, TCP and UDP on one port: `answerer.ts NAME PORT`. The line `who` is answered with NAME and the
 * address it came from, any other line with itself. Says `ready` when it listens on both.
 */

const [name = '', port = ''] = process.argv.slice(2);
const answerTo = (line: string, peer: string): string => (line === 'who' ? `${name} ${peer}` : line);

const tcp = createServer((connection) => {
  const peer = connection.remoteAddress ?? '';
  let rest = '';
  connection.setNoDelay(true);
  connection.on('data', (part) => {
    const lines = (rest + part.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    connection.write(lines.map((line) => `${answerTo(line, peer)}\n`).join(''));
  });
  // A client that goes away in the middle is none of this server's business.
  connection.on('error', () => connection.destroy());
});
const udp = createSocket('udp4', (message, { address, port: from }) => {
  udp.send(`${answerTo(message.toString('utf8').trimEnd(), address)}\n`, from, address, () => undefined);
});

const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
tcp.listen(Number(port), '0.0.0.0', both[0]?.resolve);
udp.bind(Number(port), '0.0.0.0', both[1]?.resolve);
await Promise.all(both.map(({ promise }) => promise));
console.log('ready');
