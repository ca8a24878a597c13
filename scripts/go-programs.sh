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
newer=1.24.9
toolchain=$(pwd)/dist/go/toolchain

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
  for go in go /usr/local/go/bin/go "$toolchain/bin/go"; do
    if command -v "$go" >/dev/null 2>&1 && is_new_enough "$go"; then return 0; fi
  done
  return 1
}

# A Go before 1.21 gets itself no newer one, but it can fetch it: Go is published as a module, verified as all are. Modules
# have no executable files.
fetch_go() {
  echo "go-programs: $(go version) is older than 1.21: fetching Go $newer" >&2
  fetched=$(go mod download -json "golang.org/toolchain@v0.0.1-go$newer.linux-$(go env GOARCH)" |
    sed -n 's/^\t*"Dir": "\(.*\)",*$/\1/p')
  [ -d "$fetched" ] || return 1
  rm -rf "$toolchain" "$toolchain.new"
  cp -R "$fetched" "$toolchain.new"
  chmod -R u+w "$toolchain.new"
  chmod +x "$toolchain.new"/bin/* "$toolchain.new"/pkg/tool/*/*
  mv "$toolchain.new" "$toolchain"
}

# Two runs at once: the second one finds what the first has built.
exec 9>"$folder/.lock"
flock -w 600 9
is_there "$@" && exit 0
if ! find_go; then
  sh scripts/install-debian.sh golang-go && { find_go || { fetch_go && find_go; }; } || {
    echo 'go-programs: there is no Go, and none could be had: install one from https://go.dev/dl/' >&2
    exit 1
  }
fi
echo "go-programs: building $*" >&2
rm -f "$folder/version"
CGO_ENABLED=0 GOBIN="$folder" "$go" install -trimpath -ldflags='-s -w' "$@" || exit 1
echo "$*" >"$folder/version"
