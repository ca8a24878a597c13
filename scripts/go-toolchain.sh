# Sourced, in the project's folder, by scripts that build Go programs: `find_or_fetch_go` sets $go to a Go that gets itself the Go that a
# module asks for (1.21 and later), and fails where there is none and none can be had.
# shellcheck shell=sh
newer=1.24.9
# Go's own caches are in it; a service manager may give none.
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d : -f 6)}
export HOME
toolchain=$(pwd)/dist/go/toolchain

# "go version go1.26.8 linux/amd64"
is_new_enough() {
  go_version=$("$1" version 2>/dev/null | awk '{ sub(/^go/, "", $3); print $3 }')
  major=${go_version%%.*}
  rest=${go_version#*.}
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
# have no executable files. Two at once: the second one finds what the first has fetched.
# `&&` throughout: its caller looks at its status, and so nothing in it ends it (set -e).
fetch_go() (
  mkdir -p "${toolchain%/*}" && exec 8>"$toolchain.lock" && flock -w 600 8 || exit 1
  if find_go; then exit 0; fi
  echo "go-toolchain: $(go version) is older than 1.21: fetching Go $newer" >&2
  fetched=$(go mod download -json "golang.org/toolchain@v0.0.1-go$newer.linux-$(go env GOARCH)" |
    sed -n 's/^\t*"Dir": "\(.*\)",*$/\1/p')
  [ -d "$fetched" ] &&
    rm -rf "$toolchain" "$toolchain.new" &&
    cp -R "$fetched" "$toolchain.new" &&
    chmod -R u+w "$toolchain.new" &&
    chmod +x "$toolchain.new"/bin/* "$toolchain.new"/pkg/tool/*/* &&
    mv "$toolchain.new" "$toolchain"
)

# Where there is no Go, Debian's package is installed, and fetches a newer one; over HTTPS, for which a small system has no authorities.
find_or_fetch_go() {
  if find_go; then return 0; fi
  sh scripts/install-debian.sh golang-go ca-certificates || return 1
  if find_go; then return 0; fi
  if fetch_go && find_go; then return 0; fi
  echo 'go-toolchain: there is no Go, and none could be had: install one from https://go.dev/dl/' >&2
  return 1
}
