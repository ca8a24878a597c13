/** A command that cannot be done as asked; the text says why, and what to do. */
export class LabUsageError extends Error {
  override readonly name = 'LabUsageError';
}
