#!/bin/sh
# Builds and fetches what `make e2e` runs: a container runtime, a Kubernetes, plugins, images; does nothing when it is there.
#   scripts/e2e-programs.sh [PART...]     without names: all parts
# A part is a file in scripts/e2e/. It sets $version (what it is built of: another one builds it anew) and has a function
# `build`, which puts its programs into $cache/bin, or into a folder of the part's own in $cache.
# All lies in LEASEHOLD_E2E_CACHE (by default ~/.cache/leasehold-e2e). Parts are built one after the other, a Go program at a
# time: two at once want more memory than a small machine has. How long each took is in $cache/times.
set -eu
cd "$(dirname "$0")/.."
umask 022
cache=${LEASEHOLD_E2E_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/leasehold-e2e}
[ $# -gt 0 ] || set -- $(cd scripts/e2e && ls | sed -n 's/\.sh$//p')
mkdir -p "$cache/bin" "$cache/stamps" "$cache/build"
cache=$(cd "$cache" && pwd)
root=$(pwd)
node=$root/node_modules/node/bin/node

is_built() {
  [ "$(cat "$cache/stamps/$part" 2>/dev/null)" = "$version" ]
}

# took WHAT BEGUN: says and keeps how long it took.
took() {
  line="$1 $(($(date +%s) - $2)) s"
  echo "  $line"
  echo "$line" >>"$cache/times"
}

# go_build NAME PACKAGE [FLAG...], in the folder of the module that has the package among its requirements: $cache/bin/NAME, static.
go_build() {
  begun=$(date +%s)
  program=$1
  package=$2
  shift 2
  CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false' GOMAXPROCS=2 \
    nice -n 10 "$go" build -p 2 -trimpath "$@" -o "$cache/bin/$program.new" "$package"
  mv -f "$cache/bin/$program.new" "$cache/bin/$program"
  took "$program" "$begun"
}

build_part() (
  part=$1
  # shellcheck source=/dev/null
  . "scripts/e2e/$part.sh"
  is_built && exit 0
  # Two runs at once: the second one finds what the first has built. An hour: a whole Kubernetes on a slow machine.
  exec 9>"$cache/stamps/.$part.lock"
  flock -w 3600 9
  is_built && exit 0
  echo "e2e-programs: $part ($version)"
  rm -f "$cache/stamps/$part"
  part_begun=$(date +%s)
  build
  took "$part, all of it" "$part_begun"
  echo "$version" >"$cache/stamps/$part"
)

. scripts/go-toolchain.sh
for part in "$@"; do
  [ -f "scripts/e2e/$part.sh" ] || {
    echo "e2e-programs: no part '$part'; there are: $(cd scripts/e2e && ls | sed -n 's/\.sh$//p' | tr '\n' ' ')" >&2
    exit 2
  }
  build_part "$part"
done
