# CRI-O with `pinns` (its C program that makes namespaces) and `copyimg` (its tests' program that fills an image store); static,
# without seccomp, AppArmor and SELinux, which would need libraries. conmon, which holds a pod's containers, is Debian's.
# shellcheck shell=sh disable=SC2034,SC2154,SC2164
version=v1.34.0

build() {
  find_or_fetch_go
  sh scripts/install-debian.sh conmon gcc libc6-dev
  module=github.com/cri-o/cri-o
  source=$("$go" mod download -json "$module@$version" | sed -n 's/^\t*"Dir": "\(.*\)",*$/\1/p')
  mkdir -p "$cache/build/crio"
  cd "$cache/build/crio"
  printf 'module crio\n\ngo 1.24.1\n\nrequire %s %s\n' "$module" "$version" >go.mod
  # Its own sums: the public database has none of two modules that it needs (containerd/nri by a commit, CloudNativeAI/model-spec).
  cat "$source/go.sum" >go.sum
  tags='containers_image_openpgp containers_image_ostree_stub exclude_graphdriver_btrfs'
  go_build crio "$module/cmd/crio" -tags "$tags" -ldflags '-s -w'
  go_build crio-copyimg "$module/test/copyimg" -tags "$tags" -ldflags '-s -w'
  gcc -std=c99 -Wall -Wextra -Werror -Os -static -s -o "$cache/bin/pinns.new" "$source"/pinns/src/*.c
  mv -f "$cache/bin/pinns.new" "$cache/bin/pinns"
}
