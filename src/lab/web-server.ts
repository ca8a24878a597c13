import { createServer } from 'node:http';

/**
 * A program of its own: `node web-server.ts NAME PORT` answers every request with who it is and whom it sees asking. A
 * lab runs it where a container or the API server would run.
 */
const [name = 'somebody', port = ''] = process.argv.slice(2);

createServer((request, answer) => {
  answer.end(`${name} to ${request.socket.remoteAddress ?? 'nobody'}\n`);
}).listen(Number(port), '0.0.0.0', () => console.log('ready'));
