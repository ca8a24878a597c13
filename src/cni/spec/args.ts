import { isPlain } from '../../base/outside-text.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { quoted } from './errors.ts';

/** What CNI_ARGS said: keys as they were written, the last value of each. */
export type CniArgs = {
  readonly values: ReadonlyMap<string, string>;
  /**
   * What IgnoreUnknown said (the kubelet always sets it). Keys that no plugin knows are taken without it too: there
   * is no list of the known ones, because `provide.fromArg` of a configuration may name any key.
   */
  readonly ignoreUnknown: boolean;
};

export const NO_ARGS: CniArgs = { values: new Map(), ignoreUnknown: false };

/** A command line's argument is never longer on Linux (MAX_ARG_STRLEN is 32 pages); far more than anybody needs. */
export const MAX_ARGS_LENGTH = 131_072;
const IGNORE_UNKNOWN = 'IgnoreUnknown';

/**
 * `K=V;K2=V2`. The error is the problem alone, to be put behind the variable's name. The Go library refuses a value
 * with "=" and an empty pair (as after a trailing ";"); both are harmless and taken here.
 */
export function parseArgs(text: string): Result<CniArgs, string> {
  if (text.length > MAX_ARGS_LENGTH) return err(`is longer than ${MAX_ARGS_LENGTH} characters`);
  const values = new Map<string, string>();
  for (const pair of text.split(';')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 1)
      return err(`has ${quoted(pair)}, which is not KEY=VALUE; write it as KEY=VALUE;KEY2=VALUE2`);
    values.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  const flag = parseFlag(values.get(IGNORE_UNKNOWN) ?? 'false');
  if (flag === undefined) return err(`has an ${IGNORE_UNKNOWN} that is neither true nor false`);
  values.delete(IGNORE_UNKNOWN);
  return ok({ values, ignoreUnknown: flag });
}

/** A pod as the runtime names it. */
export type PodName = {
  /** Undefined where a name is unique on its node only: podman (before 6) says no more than the container's name. */
  readonly namespace: string | undefined;
  readonly name: string;
};

/** Far more than a name of Kubernetes (253) or podman; what is longer, or not to be seen, is nobody's name. */
const MAX_POD_NAME = 1024;

/** K8S_POD_NAME and K8S_POD_NAMESPACE, which the kubelet's runtimes and podman before 6 set; undefined without a name. */
export function podOf({ values }: CniArgs): PodName | undefined {
  const name = nameIn(values, 'K8S_POD_NAME');
  return name === undefined ? undefined : { namespace: nameIn(values, 'K8S_POD_NAMESPACE'), name };
}

function nameIn(values: CniArgs['values'], key: string): string | undefined {
  const text = values.get(key);
  return text === undefined || text === '' || text.length > MAX_POD_NAME || !isPlain(text) ? undefined : text;
}

/** The truth values that the Go library takes, in any case. */
export function parseFlag(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  if (lower === '1' || lower === 'true') return true;
  return lower === '0' || lower === 'false' ? false : undefined;
}
