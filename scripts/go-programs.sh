#!/bin/sh
# Builds Go programs of given versions; does nothing when they are there already.
#   scripts/go-programs.sh FOLDER PACKAGE@VERSION...
# They are static, as the projects' own releases are. Needs Go 1.21 or later, which gets itself the Go that a module
# asks for; where there is none, Debian's package is installed, and fetches it. Ends with 1 where they cannot be built.
set -eu
cd "$(dirname "$0")/.."
[ $# -ge 2 ] || {
  echo 'usage: scripts/go-programs.sh FOLDER PACKAGE@VERSION...' >&2
  exit 2
}
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift

is_there() {
  [ "$(cat "$folder/version" 2>/dev/null)" = "$*" ] || return 1
  for program in "$@"; do
    program=${program%@*}
    [ -x "$folder/${program##*/}" ] || return 1
  done
}
is_there "$@" && exit 0

# Two runs at once: the second one finds what the first has built.
exec 9>"$folder/.lock"
flock -w 600 9
is_there "$@" && exit 0
. scripts/go-toolchain.sh
find_or_fetch_go || exit 1
echo "go-programs: building $*" >&2
rm -f "$folder/version"
CGO_ENABLED=0 GOBIN="$folder" "$go" install -trimpath -ldflags='-s -w' "$@" || exit 1
echo "$*" >"$folder/version"
