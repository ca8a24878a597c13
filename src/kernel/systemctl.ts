import { execFile } from 'node:child_process';

/** Longer than the daemon's own limits for its start (TimeoutStartSec=300) and its end. */
const LIMIT_MS = 330_000;
const MOST_OUTPUT = 64 * 1024;
/** What a shell says of a command that is not there. */
const NOT_FOUND = 127;

/** Runs `systemctl` without a terminal and a pager; `output` is both its outputs. Never rejects. */
export async function systemctl(
  args: readonly string[],
): Promise<{ readonly status: number; readonly output: string }> {
  const { promise, resolve } = Promise.withResolvers<{ readonly status: number; readonly output: string }>();
  const options = {
    timeout: LIMIT_MS,
    maxBuffer: MOST_OUTPUT,
    env: { ...process.env, SYSTEMD_PAGER: '', SYSTEMD_COLORS: '0', LC_ALL: 'C' },
  };
  execFile('systemctl', ['--no-ask-password', ...args], options, (error, stdout, stderr) => {
    const output = `${stdout}${stderr}`;
    if (error === null) resolve({ status: 0, output });
    else if (typeof error.code === 'number') resolve({ status: error.code, output });
    else
      resolve({
        status: NOT_FOUND,
        output: error.killed === true ? `no end after ${LIMIT_MS} ms` : error.message,
      });
  });
  return await promise;
}
