import { connect } from 'node:net';

/**
 * A client for tests that sends a numbered line every 10 ms and expects each back: `streamer.ts HOST PORT`. Prints its
 * state as a line of JSON every 20 ms, and once more when it is told to end (SIGTERM).
 */

const SEND_EVERY_MS = 10;
const TELL_EVERY_MS = 20;

const [host = '', port = ''] = process.argv.slice(2);
let [sent, echoed, longestGapMs, heardAt] = [0, 0, 0, performance.now()];
let lost: string | undefined;
let rest = '';

const connection = connect({ host, port: Number(port), noDelay: true });
function gap(): number {
  return Math.max(longestGapMs, performance.now() - heardAt);
}
function tell(): void {
  console.log(JSON.stringify({ sent, echoed, longestGapMs: Math.round(echoed === 0 ? 0 : gap()), lost }));
}
connection.on('data', (part) => {
  const lines = (rest + part.toString('utf8')).split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) {
    if (Number(line) !== echoed) lost ??= `line ${line} where ${echoed} was due`;
    echoed += 1;
  }
  if (echoed > lines.length) longestGapMs = gap();
  heardAt = performance.now();
});
connection.on('error', ({ message }) => (lost ??= message));
connection.on('close', () => (lost ??= 'closed'));
connection.on('connect', () => {
  setInterval(() => {
    connection.write(`${sent}\n`);
    sent += 1;
  }, SEND_EVERY_MS);
});
setInterval(tell, TELL_EVERY_MS);
process.on('SIGTERM', () => {
  tell();
  process.exit(0);
});
