# The Go plugins: those that Leasehold is compared with, and those that a node needs beside it. In $cache/go-plugins.
# shellcheck shell=sh disable=SC2034,SC2154
version=v1.10.0

build() {
  set --
  for plugin in ipam/dhcp ipam/host-local main/bridge main/loopback main/macvlan meta/bandwidth meta/portmap meta/tuning; do
    set -- "$@" "github.com/containernetworking/plugins/plugins/$plugin@$version"
  done
  GOMAXPROCS=2 sh scripts/go-programs.sh "$cache/go-plugins" "$@"
}
