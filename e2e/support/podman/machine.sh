#!/bin/sh
# Boots a machine: the first process of new mount, pid, ipc and uts namespaces, in a network and a cgroup namespace of the
# caller's, over a copy-on-write view of this machine's files. What is under $disk is there again at the next boot; all
# else, /run above all, is new.
#   machine.sh WORK DISK LOWER   an empty folder; the disk; LOWER/usr stands before this machine's own /usr
set -eu
work=$1
disk=$2
lower=$3
. "$(dirname "$0")/../cgroup-mounts.sh"
# The programs of a machine look for what belongs to them in these.
on_disk='var/lib etc/cni etc/containers usr/lib/cni opt/cni usr/local'
mount --make-rprivate /
mount -t tmpfs -o size=1g,mode=0755 tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/usr-upper" "$work/usr-work" "$work/root"
root=$work/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$root"
mount -t overlay overlay -o "lowerdir=$lower/usr:/usr,upperdir=$work/usr-upper,workdir=$work/usr-work" "$root/usr"
for path in $on_disk; do
  mkdir -p "$disk/$path" "$root/$path"
  mount --bind "$disk/$path" "$root/$path"
done
mount -t proc proc "$root/proc"
# As in any container: of the sysctls only those of the network namespace can be written, the others are the machine's.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/proc/sys/net" "$root/proc/sys/net"
# Another boot, for whoever asks.
cat /proc/sys/kernel/random/uuid >"$work/boot_id"
mount --bind "$work/boot_id" "$root/proc/sys/kernel/random/boot_id"
mount -o remount,bind,ro "$root/proc/sys"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  minor=${device##*:}
  major=${device#*:}
  mknod -m 0666 "$root/dev/${device%%:*}" c "${major%:*}" "$minor"
done
ln -s /proc/self/fd "$root/dev/fd"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t sysfs sysfs "$root/sys"
mount_cgroups "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mkdir "$root/run/lock" "$root/run/netns"
mkdir -p "$root/tmp/old"
cd "$root"
pivot_root . tmp/old
umount -l /tmp/old
# As every host with systemd has it.
mount --make-rshared /
: >/run/booted
# Reaps what its parent has left, as every first process has to.
sleep infinity &
while :; do wait; done
