# containerd with its shim and ctr, without the snapshotters that nobody here uses.
# shellcheck shell=sh disable=SC2034,SC2154,SC2164
version=v2.4.2

build() {
  find_or_fetch_go
  module=github.com/containerd/containerd/v2
  mkdir -p "$cache/build/containerd"
  cd "$cache/build/containerd"
  printf 'module runtime\n\ngo 1.26.0\n\nrequire %s %s\n' "$module" "$version" >go.mod
  for name in containerd containerd-shim-runc-v2 ctr; do
    go_build "$name" "$module/cmd/$name" -tags 'no_btrfs no_devmapper no_zfs' -ldflags "-s -w -X $module/version.Version=$version"
  done
}
