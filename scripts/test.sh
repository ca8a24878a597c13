#!/bin/sh
# The whole proof, cheapest part first. Called by `make test`, which has built everything.
set -eu
cd "$(dirname "$0")/.."
node=node_modules/node/bin/node

# The servers and the relay, the three DHCP clients that the lab can use, what loses packets and what sees them, the
# Go plugins that we stand in for, what writes a cluster's rules, what asks and measures, a real systemd, certificates, and
# what reads images and runs the other architecture's.
sh scripts/install-debian.sh iproute2 iputils-ping dnsmasq-base kea-dhcp4-server isc-dhcp-server udhcpd coredhcp-server isc-dhcp-relay \
  udhcpc isc-dhcp-client dhcpcd-base nftables tcpdump containernetworking-plugins iptables conntrack ncat iperf3 systemd procps openssl \
  skopeo qemu-user

# libcni of both kinds: before and after the list of versions (tests/plugins/cnitool.test.ts).
cnitool=github.com/containernetworking/cni/cnitool
sh scripts/go-programs.sh dist/go/cnitool-1.1 "$cnitool@v1.1.2"
sh scripts/go-programs.sh dist/go/cnitool-1.3 "$cnitool@v1.3.0"

step() {
  begun=$(date +%s)
  echo "== $1"
  shift
  "$@"
  echo "   $(($(date +%s) - begun)) s"
}

step 'format, lint, types' make --no-print-directory lint
UV_THREADPOOL_SIZE=9 step 'tests' "$node" --test --test-concurrency=2 --test-timeout=300000 \
  --test-reporter=spec --test-reporter-destination=stdout \
  --test-reporter=./tests/rfc/reporter.ts --test-reporter-destination=dist/tests-ran \
  'tests/**/*.test.ts'
step 'the tests that docs/rfc.md names' "$node" tests/rfc/check-ran.ts dist/tests-ran
