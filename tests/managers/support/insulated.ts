import type { Namespace } from '../../../src/lab/namespace.ts';

/**
 * Network software as Debian ships it writes to /etc, /run and its state folders, names the machine, and sets sysctls. In
 * a mount namespace of its own it has copies of these, and of the sysctls those of its network namespace.
 */
const INSULATE = `
set -e
mount -t tmpfs none /run
mkdir /run/upper /run/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/upper,workdir=/run/work /etc
for folder in /var/lib/dhcp /var/lib/dhcpcd; do
  [ ! -d $folder ] || mount -t tmpfs none $folder
done
mount --bind /proc/sys /proc/sys
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,ro /proc/sys
exec "$@"`;

/** This command so that it changes nothing but its network namespace. */
export function insulated(command: readonly string[]): readonly string[] {
  return ['unshare', '--mount', '--uts', 'sh', '-c', INSULATE, 'insulated', ...command];
}

/** Runs a script to its end, insulated; throws what it said when it fails. */
export async function runInsulated(
  place: Namespace,
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return await place.run(insulated(['env', ...settings, 'sh', '-ec', script]));
}
