# The images of the test pods: localhost/pause:1 (a sandbox's first process) and localhost/who:1 (e2e/programs/who, and busybox),
# as $cache/images/*.tar. `pause` is also the first process of a node.
# shellcheck shell=sh disable=SC2034,SC2154
version=$(cat scripts/e2e/images.sh e2e/programs/*.* e2e/programs/who/* scripts/image/oci-layout.ts | sha256sum | cut -c -16)

build() {
  find_or_fetch_go
  sh scripts/install-debian.sh gcc libc6-dev
  sh scripts/e2e-programs.sh debian
  gcc -std=c11 -Wall -Wextra -Werror -O2 -static -s -o "$cache/bin/pause" e2e/programs/pause.c
  (cd e2e/programs/who && CGO_ENABLED=0 GOFLAGS=-buildvcs=false nice -n 10 "$go" build -trimpath -ldflags '-s -w' -o "$cache/bin/who" .)
  "$node" e2e/programs/images.ts "$cache"
}
