#!/bin/sh
# The tests with the real programs: container runtimes and a Kubernetes. Called by `make e2e`, which has built everything.
#   scripts/e2e.sh [FILE-OR-PATTERN]
# What they run is built or fetched once into a cache (scripts/e2e-programs.sh).
set -eu
cd "$(dirname "$0")/.."
umask 022
. scripts/e2e-cache.sh
node=node_modules/node/bin/node
pattern=${1:-e2e/*.test.ts}

[ "$(id -u)" -eq 0 ] || {
  echo 'e2e: needs root, for namespaces and container runtimes' >&2
  exit 1
}
# Servers and clients of the LAN, what kube-proxy calls, certificates.
sh scripts/install-debian.sh iproute2 iputils-ping util-linux dnsmasq-base kea-dhcp4-server udhcpc nftables iptables conntrack \
  openssl procps
sh scripts/e2e-programs.sh
"$node" e2e/support/sweep.ts

# The image is of this checkout: made again when something that is in it is newer. Two runs at once: the second one finds it.
image=dist/leasehold-$("$node" -p 'JSON.parse(fs.readFileSync("package.json")).version')-oci.tar
mkdir -p dist
(
  flock -w 1800 9
  if [ -f "$image" ]; then
    newer=$(find src relay scripts/image scripts/image.sh package.json package-lock.json bin -type f -newer "$image" -print -quit)
    [ -n "$newer" ] || exit 0
  fi
  sh scripts/image.sh
) 9>dist/.image.lock

# One file at a time: each has a cluster or a runtime of its own, and two processors are the least there are.
UV_THREADPOOL_SIZE=9 exec "$node" --test --test-concurrency=1 --test-timeout=900000 "$pattern"
