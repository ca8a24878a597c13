#!/bin/sh
# Builds and fetches what `make e2e` runs: a container runtime, a Kubernetes, plugins, images; does nothing when it is there.
#   scripts/e2e-programs.sh [PART...]     without names: all parts
# A part is a file in scripts/e2e/. It sets $version (what it is built of: another one builds it anew) and has a function
# `build`, which puts its programs into $cache/bin, or into a folder of the part's own in $cache.
# All lies in LEASEHOLD_E2E_CACHE (by default ~/.cache/leasehold-e2e). Parts are built one after the other, a Go program at a
# time: two at once want more memory than a small machine has. How long each took is in $cache/times. A part that fails is named,
# and the next call goes on with it.
set -eu
cd "$(dirname "$0")/.."
umask 022
root=$(pwd)
# shellcheck disable=SC2034 # for the parts
node=$root/node_modules/node/bin/node
. scripts/e2e-cache.sh
. scripts/go-toolchain.sh
# What all parts took with Go's caches empty: 0.8 GB in the cache, 10 GB in Go's own.
needed_gb=12

part_names() {
  for file in scripts/e2e/*.sh; do basename "$file" .sh; done
}

# shellcheck disable=SC2046 # names without blanks
[ $# -gt 0 ] || set -- $(part_names)
mkdir -p "$cache/bin" "$cache/stamps" "$cache/build"
cache=$(cd "$cache" && pwd)

# free_gb FOLDER: of the disk that it is on.
free_gb() {
  df -Pk "$1" | awk 'NR == 2 { print int($4 * 1024 / 1e9) }'
}

# Only said: with Go's caches there, less is enough.
say_space() {
  for folder in "$cache" "$HOME"; do
    [ "$(free_gb "$folder")" -lt "$needed_gb" ] || continue
    echo "e2e-programs: only $(free_gb "$folder") GB are free where $folder is. All parts with Go's caches take $needed_gb GB: LEASEHOLD_E2E_CACHE, GOCACHE and GOMODCACHE name other places" >&2
  done
}

# shellcheck disable=SC2154 # set by the part
is_built() {
  [ "$(cat "$cache/stamps/$part" 2>/dev/null)" = "$version" ]
}

# Why is above it, in the words of what failed.
say_failed() {
  echo "e2e-programs: part '$part' ($version) failed, see above; $(free_gb "$cache") GB are free where $cache is. Mend it and run this again: scripts/e2e-programs.sh $part" >&2
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
  flock -w 3600 9 || {
    echo "e2e-programs: another run has been building part '$part' for an hour" >&2
    exit 1
  }
  is_built && exit 0
  # An exit and no `||`: that would have the part go on after what fails in it (set -e).
  trap '[ $? -eq 0 ] || say_failed' EXIT
  echo "e2e-programs: $part ($version)"
  rm -f "$cache/stamps/$part"
  part_begun=$(date +%s)
  build
  took "$part, all of it" "$part_begun"
  echo "$version" >"$cache/stamps/$part"
)

[ -n "$(ls -A "$cache/stamps")" ] || say_space
for part in "$@"; do
  [ -f "scripts/e2e/$part.sh" ] || {
    echo "e2e-programs: no part '$part'; there are: $(part_names | tr '\n' ' ')" >&2
    exit 2
  }
  build_part "$part"
done
