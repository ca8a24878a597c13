# Sourced by the first process of a machine (cluster/node.sh, podman/machine.sh), whose cgroup is the root of its cgroup namespace.
# shellcheck shell=sh

# mount_cgroups FOLDER: the hierarchies of this machine, of which the cgroup namespace shows its own part: one of version 2, or a
# folder for each controller of version 1.
mount_cgroups() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 "$1"
    # What of controllers it has may be had by the cgroups that a runtime makes.
    sed 's/[^ ][^ ]*/+&/g' "$1/cgroup.controllers" >"$1/cgroup.subtree_control"
    return
  fi
  mount -t tmpfs -o mode=0755 tmpfs "$1"
  for hierarchy in /sys/fs/cgroup/*/; do
    # Links: cpu is one to cpu,cpuacct.
    [ ! -h "${hierarchy%/}" ] || continue
    controllers=$(basename "$hierarchy")
    mkdir "$1/$controllers"
    case $controllers in
    unified) mount -t cgroup2 cgroup2 "$1/$controllers" ;;
    systemd) mount -t cgroup -o none,name=systemd cgroup "$1/$controllers" ;;
    *) mount -t cgroup -o "$controllers" cgroup "$1/$controllers" ;;
    esac
  done
}
