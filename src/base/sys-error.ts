/**
 * A system call that failed, as the kernel/ layer reports it and the upper layers tell it apart.
 * `code` is the errno name ("ENODEV"), `op` what was tried ("RTM_NEWLINK eth0"), `detail` what the kernel said
 * beyond the number (NLMSGERR_ATTR_MSG) or undefined.
 */
export class SysError extends Error {
  override readonly name = 'SysError';
  readonly op: string;
  readonly code: string;
  readonly detail: string | undefined;

  constructor(op: string, code: string, detail?: string) {
    super(`${op}: ${code}${detail === undefined ? '' : ` (${detail})`}`);
    this.op = op;
    this.code = code;
    this.detail = detail;
  }
}

export function isSysError(error: unknown, ...codes: readonly string[]): error is SysError {
  return error instanceof SysError && (codes.length === 0 || codes.includes(error.code));
}
