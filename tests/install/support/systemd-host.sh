#!/bin/sh
# Boots systemd over a throw-away copy of this machine's files. Runs as the first process of new mount, pid, ipc, uts
# and cgroup namespaces, in a network namespace of the caller's. $1: an empty folder for it.
set -eu
work=$1
# What runtimes mount in /run/netns of the machine arrives here, as on a host; nothing goes back.
mount --make-rslave /
mount -t tmpfs -o size=1g,mode=0755 tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
mount -t proc proc "$root/proc"
# As in any container: of the sysctls only those of the network namespace can be written, the others are the machine's.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
mount -o remount,bind,ro "$root/proc/sys"
# Its own: systemd makes links in it.
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  minor=${device##*:}
  major=${device#*:}
  mknod -m 0666 "$root/dev/${device%%:*}" c "${major%:*}" "$minor"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mkdir "$root/run/netns"
mount --rbind /run/netns "$root/run/netns"
# Only what the test installs is started; the machine's own units and plugins are not there.
mount -t tmpfs -o mode=0755 tmpfs "$root/etc/systemd/system"
mount -t tmpfs -o mode=0755 tmpfs "$root/usr/lib/systemd/system/sysinit.target.wants"
ln -s ../systemd-journald.service "$root/usr/lib/systemd/system/sysinit.target.wants/"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/tmp/old"
printf '[Unit]\nDescription=The test\nAllowIsolate=yes\nWants=multi-user.target.wants\n' \
  >"$root/etc/systemd/system/test.target"
cd "$root"
pivot_root . tmp/old
umount -l /tmp/old
# As every host with systemd has it.
mount --make-rshared /
export container=leasehold-test
exec /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=no
