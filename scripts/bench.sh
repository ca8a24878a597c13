#!/bin/sh
# The benchmark against the Go plugins, side by side. Called by `make bench`, which has built Leasehold.
#   scripts/bench.sh [--quick] [--only SECTION,...] [--output FILE]
#   scripts/bench.sh --last-hop     what the last hop costs, alone
#   scripts/bench.sh --cri [--quick] [--output FILE]    whole sandboxes of a containerd, alone
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
version=v1.10.0
module=github.com/containernetworking/plugins/plugins
out=dist/bench
go_plugins=dist/go-plugins

[ "$(id -u)" -eq 0 ] || {
  echo 'bench: needs root for network namespaces' >&2
  exit 1
}
warnings='-Wall -Wextra -Werror -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wstrict-prototypes
  -Wmissing-prototypes -Wundef -Wcast-align -Wcast-qual -Wwrite-strings -Wswitch-enum -Wnull-dereference
  -Wduplicated-cond -Wlogical-op -Wvla'
case " $* " in
*' --cri '*)
  shift
  sh scripts/install-debian.sh iproute2 util-linux dnsmasq-base
  sh scripts/e2e-programs.sh containerd debian go-plugins
  . scripts/e2e-cache.sh
  mkdir -p "$out"
  # shellcheck disable=SC2086 # a list of options
  gcc -std=c11 $warnings -O2 -static -s -o "$out/fixed-result" bench/fixed-result.c
  exec node_modules/node/bin/node --disable-warning=ExperimentalWarning bench/cri.ts \
    --go-plugins "$cache/go-plugins" --go-version "$version" --fixed-result "$root/$out/fixed-result" "$@"
  ;;
*' --last-hop '*)
  sh scripts/install-debian.sh iproute2 nftables iperf3
  exec node_modules/node/bin/node --disable-warning=ExperimentalWarning bench/last-hop.ts
  ;;
esac
sh scripts/install-debian.sh iproute2 dnsmasq-base kea-dhcp4-server kea-common containernetworking-plugins tcpdump

if sh scripts/go-programs.sh "$go_plugins" "$module/ipam/dhcp@$version" "$module/main/macvlan@$version"; then
  plugins=$root/$go_plugins
  # The build's own record; Go may be in no PATH.
  built=$(strings -n 4 "$go_plugins/dhcp" 2>/dev/null | grep -m 1 -oE '^go1\.[0-9.]+' || true)
  said="$version, built with ${built:-Go}"
else
  plugins=/usr/lib/cni
  said="Debian's $(dpkg-query -W -f '${Version}' containernetworking-plugins) ($version could not be built here)"
fi

mkdir -p "$out"
# shellcheck disable=SC2086 # a list of options
gcc -std=c11 $warnings -O2 -pthread -o "$out/driver" bench/driver.c
# shellcheck disable=SC2086
gcc -std=c11 $warnings -O2 -static -s -o "$out/empty" bench/empty.c
# shellcheck disable=SC2086
gcc -std=c11 $warnings -O2 -o "$out/floor" bench/floor.c
# shellcheck disable=SC2086
gcc -std=c11 $warnings -O2 -o "$out/jitter" bench/jitter.c

# What is measured is the installed program.
rm -rf "$out/installed"
mkdir -p "$out/installed"
bin/leasehold install --root "$root/$out/installed" >/dev/null
program=$(echo "$root/$out/installed/usr/local/lib/leasehold"/*)

exec node_modules/node/bin/node --disable-warning=ExperimentalWarning bench/main.ts --program "$program" \
  --driver "$root/$out/driver" --empty "$root/$out/empty" --floor "$root/$out/floor" \
  --jitter "$root/$out/jitter" \
  --go-plugins "$plugins" --go-version "$said" "$@"
