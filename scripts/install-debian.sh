#!/bin/sh
# Installs those of the named Debian packages that are missing, and starts no service of theirs.
#   scripts/install-debian.sh [PACKAGE...]     without names: what `leasehold lab` needs
set -eu

fail() {
  echo "install-debian: $*" >&2
  exit 1
}

[ $# -gt 0 ] || set -- iproute2 dnsmasq-base udhcpc iputils-ping nftables

for package in "$@"; do
  case $package in
  *[!a-z0-9+.-]* | -* | '') fail "not a package name: '$package'" ;;
  esac
done

command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 ||
  fail "this is not Debian (no apt-get); install with your own package manager: $*"

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

missing=
for package in "$@"; do
  is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

[ "$(id -u)" -eq 0 ] || fail "needs root to install:$missing"

# One at a time: two runs would put each other's policy-rc.d back. apt has a lock of its own, but only later.
exec 9>/run/leasehold-install.lock
flock -w 600 9 || fail 'another installation is still running'

# invoke-rc.d asks this file before it starts a service; 101 forbids it (see invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
saved=$policy.before-leasehold
mark='# put here by leasehold, for the time of one installation'

put_back() {
  if [ -f "$policy" ] && grep -qF "$mark" "$policy"; then rm -f "$policy"; fi
  if [ -e "$saved" ] || [ -L "$saved" ]; then mv -f "$saved" "$policy"; fi
}
# What a killed run left is put in order first, so that its file is never taken for the machine's own.
put_back
trap put_back EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
if [ -e "$policy" ] || [ -L "$policy" ]; then mv "$policy" "$saved"; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
chmod 755 "$policy"

is_known() {
  # A fresh image has no package lists; then there is no candidate.
  apt-cache policy "$1" 2>/dev/null | grep -q '^ *Candidate: [^(]'
}

update() {
  echo 'install-debian: reading the package lists'
  apt-get update -qq || fail 'apt-get update failed; see above'
}

updated=no
for package in $missing; do
  if ! is_known "$package"; then
    update
    updated=yes
    break
  fi
done
for package in $missing; do
  is_known "$package" || fail "Debian's package lists here have no $package"
done

install() {
  # A machine that has just booted may be at its own updates.
  # shellcheck disable=SC2086 # names were checked above and hold no blanks
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 $missing </dev/null
}

echo "install-debian: installing$missing (services are not started)"
if ! install; then
  # Lists that are too old name files that are no longer there.
  [ "$updated" = no ] || fail "could not install:$missing"
  update
  install || fail "could not install:$missing"
fi
echo "install-debian: installed$missing"
