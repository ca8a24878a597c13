import { later, millis } from '../../../src/base/time.ts';
import { now } from '../../../src/kernel/clock.ts';
import { openTimers } from '../../../src/kernel/timers.ts';

// A process of its own with nothing else on its loop: it must go on for the timers, and end with them.
const seen: string[] = [];
process.on('uncaughtException', () => seen.push('threw'));
process.on('exit', () => process.stdout.write([...seen, 'exit'].join(',')));

const unused = openTimers();
// Opened, but never closed: nothing is pending.
unused.at(later(now(), millis(60_000)), () => seen.push('cancelled'))();

const { at: timerAt } = openTimers();

timerAt(later(now(), millis(20)), () => {
  seen.push('first');
  // A promise goes on before the next turn, not when something else wakes the loop.
  void Promise.resolve().then(() => seen.push('second'));
  timerAt(later(now(), millis(20)), () => {
    timerAt(now(), () => seen.push('last'));
    throw new Error('broken');
  });
});
