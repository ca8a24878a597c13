/**
 * Loaded before a program (`node --import`): every other second its wall clock is ten years ahead. A machine's own clock
 * cannot be set by a test; this reaches what the program itself asks, which is all that it could mind.
 */

const TEN_YEARS_MS = 315_576_000_000;
const SECOND_MS = 1000;
const now = Date.now.bind(Date);

Date.now = () => {
  const real = now();
  return Math.floor(real / SECOND_MS) % 2 === 0 ? real : real + TEN_YEARS_MS;
};
process.stderr.write('{"msg":"the wall clock leaps"}\n');
