/** Whether it is an error of the operating system as Node throws it; with one of the codes, where some are given. */
export function hasCode(
  error: unknown,
  codes?: readonly string[],
): error is Error & { readonly code: string } {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return codes === undefined || codes.includes(error.code);
}
