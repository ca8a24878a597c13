#!/bin/sh
# The whole proof, cheapest part first. Called by `make test`, which has built everything.
set -eu
cd "$(dirname "$0")/.."
node=node_modules/node/bin/node

sh scripts/install-debian.sh iproute2 dnsmasq-base udhcpc iputils-ping kea-dhcp4-server containernetworking-plugins

step() {
  begun=$(date +%s)
  echo "== $1"
  shift
  "$@"
  echo "   $(($(date +%s) - begun)) s"
}

step 'format, lint, types' make --no-print-directory lint
UV_THREADPOOL_SIZE=9 step 'tests' "$node" --test --test-concurrency=2 --test-timeout=300000 'tests/**/*.test.ts'
