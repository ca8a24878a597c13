import { isSysError } from '../../base/sys-error.ts';
import type { Failure } from '../../lease/manager.ts';
import { CniError } from '../spec/errors.ts';
import type { ErrorName } from '../spec/error-table.ts';

/** Why there is no lease, as the error that the runtime shows. */
export function leaseError(failure: Failure, ifname: string, signal: AbortSignal): CniError {
  switch (failure.kind) {
    case 'no-lease': {
      const kinds = {
        silent: 'dhcp-no-answer',
        refused: 'dhcp-refused',
        unusable: 'dhcp-unusable',
        unfinished: 'dhcp-no-answer',
      } as const satisfies Record<typeof failure.outcome, ErrorName>;
      return new CniError(kinds[failure.outcome], `no DHCP lease for ${ifname}: ${failure.text}`);
    }
    case 'cancelled':
      return signal.reason instanceof CniError
        ? signal.reason
        : new CniError('try-again', 'the request was cancelled');
    case 'no-carrier':
      return new CniError(
        'uplink-no-carrier',
        `${ifname} has no carrier: is the uplink's cable or its peer up?`,
      );
    case 'not-stored':
      return new CniError(
        'store-not-writable',
        `the lease could not be stored and was given back: ${failure.error.message}`,
      );
    case 'send-failed':
      return new CniError('link-failed', `${ifname} cannot send: ${failure.error.message}`);
  }
}

/** A pod's namespace that cannot be opened. */
export function namespaceError(error: unknown, path: string): CniError {
  if (isSysError(error, 'ENOENT', 'ENOTDIR')) {
    return new CniError('unknown-container', `CNI_NETNS: ${path} does not exist`, undefined, {
      cause: error,
    });
  }
  if (isSysError(error, 'ENOTNS')) {
    return new CniError('not-a-namespace', `CNI_NETNS: ${path} is not a network namespace`, undefined, {
      cause: error,
    });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new CniError('io-failure', `CNI_NETNS: ${path} cannot be opened: ${text}`, undefined, {
    cause: error,
  });
}

/** Anything that the kernel refused while an interface was made or configured. */
export function kernelError(kind: ErrorName, what: string, error: unknown): CniError {
  if (error instanceof CniError) return error;
  if (isSysError(error, 'EPERM', 'EACCES')) {
    return new CniError('not-permitted', `${what}: ${error.message}`, undefined, { cause: error });
  }
  if (isSysError(error, 'EOPNOTSUPP', 'ENOTSUPP', 'EAFNOSUPPORT')) {
    return new CniError('kernel-unsupported', `${what}: ${error.message}`, undefined, { cause: error });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new CniError(kind, `${what}: ${text}`, undefined, { cause: error });
}
