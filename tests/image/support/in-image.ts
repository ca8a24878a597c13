import { CAPABILITIES, inContainer } from '../../support/container.ts';

/**
 * What stands before a command so that it runs with `root` as its root file system, which is read-only as in
 * docs/image.md, and where `folder` and the pods' namespaces are at their own paths. chroot needs a capability of its own,
 * which a container's runtime would have used before.
 */
export function inImage(root: string, folder: string): readonly string[] {
  const script = `
    mount --bind "$0" "$0"
    mount -o remount,bind,ro "$0"
    mount --rbind /proc "$0/proc"
    mount --rbind /sys "$0/sys"
    mount --rbind /dev "$0/dev"
    mount --rbind /run "$0/run"
    mount --make-rslave "$0/run"
    mount -t tmpfs tmpfs "$0/tmp"
    mkdir -p "$0$1"
    mount --bind "$1" "$0$1"
    root=$0
    shift
    exec /usr/sbin/chroot "$root" "$@"`;
  const confined = inContainer({ capabilities: [...CAPABILITIES, 'sys_chroot'] });
  return [...confined, 'sh', '-euc', script, root, folder];
}
