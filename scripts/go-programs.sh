#!/bin/sh
# Builds Go programs of given versions; does nothing when they are there already.
#   scripts/go-programs.sh FOLDER PACKAGE@VERSION...
# They are static, as the projects' own releases are. Needs Go 1.21 or later, which gets itself the Go that a module
# asks for; where there is none, Debian's package is installed. Ends with 1 where they cannot be built.
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

# "go version go1.26.8 linux/amd64"
is_new_enough() {
  version=$("$1" version 2>/dev/null | awk '{ sub(/^go/, "", $3); print $3 }')
  major=${version%%.*}
  rest=${version#*.}
  minor=${rest%%[!0-9]*}
  [ "${major:-0}" -gt 1 ] || { [ "${major:-0}" -eq 1 ] && [ "${minor:-0}" -ge 21 ]; }
}

# /usr/local/go is where Go's own archive goes, in no PATH by itself.
find_go() {
  for go in go /usr/local/go/bin/go; do
    if command -v "$go" >/dev/null 2>&1 && is_new_enough "$go"; then return 0; fi
  done
  return 1
}
if ! find_go; then
  sh scripts/install-debian.sh golang-go || exit 1
  find_go || {
    echo "go-programs: Debian's Go is older than 1.21: install a newer one from https://go.dev/dl/" >&2
    exit 1
  }
fi

# Two runs at once: the second one finds what the first has built.
exec 9>"$folder/.lock"
flock -w 600 9
is_there "$@" && exit 0
echo "go-programs: building $*" >&2
rm -f "$folder/version"
CGO_ENABLED=0 GOBIN="$folder" "$go" install -trimpath -ldflags='-s -w' "$@" || exit 1
echo "$*" >"$folder/version"
