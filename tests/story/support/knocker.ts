import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

/** Asks one address again and again, one after another, and prints what it heard: see `knock`. */
const [, , by = 'tcp', to = '', port = '0', times = '1'] = process.argv;

/** Much longer than anything takes that is answered at all. */
const PATIENCE_MS = 8000;

type Ear = (heard: string) => void;

function knockByTcp(hear: Ear): () => void {
  const socket = connect(Number(port), to);
  socket.once('connect', () => socket.write('who\n'));
  socket.once('data', () => hear('answered'));
  socket.on('error', (error: NodeJS.ErrnoException) => hear(error.code ?? error.message));
  socket.once('close', () => hear('closed'));
  return () => socket.destroy();
}

function knockByUdp(hear: Ear): () => void {
  const socket = createSocket('udp4');
  socket.once('message', () => hear('answered'));
  socket.on('error', (error: NodeJS.ErrnoException) => hear(error.code ?? error.message));
  socket.connect(Number(port), to, () => socket.send('who\n'));
  return () => socket.close();
}

async function knock(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve('nothing'), PATIENCE_MS);
  const end = (by === 'tcp' ? knockByTcp : knockByUdp)(resolve);
  const heard = await promise;
  clearTimeout(timer);
  end();
  return heard;
}

/** Segments that this namespace has sent again (RFC 4022, tcpRetransSegs). */
function resent(): number {
  const [names = '', values = ''] = readFileSync('/proc/self/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Tcp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('RetransSegs')]);
}

const before = resent();
const heard: Record<string, number> = {};
for (let at = 0; at < Number(times); at++) {
  const one = await knock();
  heard[one] = (heard[one] ?? 0) + 1;
}
process.stdout.write(`${JSON.stringify({ heard, resent: resent() - before })}\n`);
