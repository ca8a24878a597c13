#!/bin/sh
# The first process of a node, in new namespaces: makes the node's own root file system, then waits (e2e/programs/pause.c).
#   node.sh DISK NAME CACHE DIST ETC
# DISK has the folders root, usr, etc, opt, var, usr-work and etc-work; ETC, files for the node's /etc. Done when there is
# DISK/var/.ready.
set -eu
disk=$1 name=$2 cache=$3 dist=$4 etc=$5
root=$disk/root
. "$(dirname "$0")/../cgroup-mounts.sh"
mount -t tmpfs -o mode=755 "$name" "$root"
cd "$root"
mkdir -p usr etc opt var run tmp proc sys dev root mnt srv home boot media e2e/cache e2e/dist old
chmod 1777 tmp
for link in bin sbin lib lib64; do [ ! -e "/usr/$link" ] || ln -s "usr/$link" "$link"; done
# Programs are the machine's; what the node writes into /usr and /etc is on its own disk.
for folder in usr etc; do
  mount -t overlay -o "lowerdir=/$folder,upperdir=$disk/$folder,workdir=$disk/$folder-work" "$name" "$folder"
done
mount --bind "$disk/opt" opt
mount --bind "$disk/var" var
mount -t tmpfs -o mode=755 "$name" run
mkdir -p run/lock
mount --bind "$cache" e2e/cache
mount -o remount,bind,ro e2e/cache
mount --bind "$dist" e2e/dist
mount -o remount,bind,ro e2e/dist
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /dev dev
mount_cgroups "$root/sys/fs/cgroup"
# The kubelet wants sysctls that are the whole machine's to have these values (kubelet --protect-kernel-defaults), and writes
# them where they differ. Files over them: it finds what it wants, and the machine keeps what it has.
mkdir -p run/sysctl
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  path=${setting%=*}
  file=run/sysctl/$(echo "$path" | tr / .)
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "proc/sys/$path"
done
# Each node of a cluster routes for its pods; kubeadm does not begin without.
echo 1 >proc/sys/net/ipv4/ip_forward
hostname "$name"
echo "$name" >etc/hostname
for file in hosts resolv.conf; do
  rm -f "etc/$file"
  cp "$etc/$file" "etc/$file"
done
pivot_root . old
cd /
umount -l old
rmdir old
# As systemd has it: what is mounted in the node is seen in its containers where they ask for it.
mount --make-rshared /
: >/var/.ready
exec /e2e/cache/bin/pause
