/** Resolves when the loop comes round: what is under way in this turn, a message above all, is sent by then. */
export function nextTurn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  return promise;
}
