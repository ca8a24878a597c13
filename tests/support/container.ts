/** What the container of the daemon is given (docs/image.md); without CAP_NET_BROADCAST it does with less. */
export const CAPABILITIES = ['net_admin', 'net_raw', 'net_bind_service', 'sys_admin'] as const;

export type Confinement = {
  readonly capabilities?: readonly string[];
  /**
   * `remountable`: read-only as runtimes mount it into a container. `fixed`: a read-only procfs, which nothing makes
   * writable, as little as in a container whose mount(2) AppArmor forbids.
   */
  readonly procSys?: 'remountable' | 'fixed';
};

const READ_ONLY = {
  remountable: 'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys',
  fixed: 'mount -t proc -o ro proc /proc',
} as const;

/**
 * What stands before a command so that it runs as in a container that is not privileged: few capabilities, no new
 * privileges, /proc/sys read-only. In a mount namespace of its own, which hears of the pods' namespaces and tells
 * nobody of its mounts: this machine's /proc/sys stays as it is.
 */
export function inContainer({
  capabilities = CAPABILITIES,
  procSys = 'remountable',
}: Confinement = {}): readonly string[] {
  const script = `${READ_ONLY[procSys]}; exec "$@"`;
  const bounding = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const command = ['unshare', '--mount', '--propagation=slave', 'sh', '-euc', script, 'sh'];
  return [...command, 'setpriv', '--bounding-set', bounding, '--inh-caps', '-all', '--no-new-privs'];
}
