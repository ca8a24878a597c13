# etcd's server.
# shellcheck shell=sh disable=SC2034,SC2154,SC2164
version=v3.7.3

build() {
  find_or_fetch_go
  mkdir -p "$cache/build/etcd"
  cd "$cache/build/etcd"
  printf 'module etcd\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/server/v3 %s\n' "$version" >go.mod
  go_build etcd go.etcd.io/etcd/server/v3 -ldflags '-s -w'
}
