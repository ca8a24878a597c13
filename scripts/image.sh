#!/bin/sh
# Makes OUT/leasehold-VERSION-oci.tar, an OCI image archive for amd64 and arm64, and its .sha256. Called by `make image`.
# It needs no registry of images and no Docker: Node and koffi come as the lock file has them, the libraries that Node
# needs from Debian's packages, the plugin binary from this checkout. The same sources and packages give the same bytes.
# OUT: dist; IMAGE_CACHE: where what was fetched stays (dist/image-cache); IMAGE_LEVEL: how hard gzip tries (9);
# IMAGE_ROOTS: a folder that gets the root file systems as well, one for each architecture (for the Dockerfile).
set -eu
cd "$(dirname "$0")/.."
umask 022
node=$PWD/node_modules/node/bin/node
cache=${IMAGE_CACHE:-dist/image-cache}
out=${OUT:-dist}
mkdir -p "$out" "$cache"
cache=$(cd "$cache" && pwd)
out=$(cd "$out" && pwd)

case $(uname -m) in
x86_64) other=gcc-aarch64-linux-gnu ;;
aarch64) other=gcc-x86-64-linux-gnu ;;
esac
sh scripts/install-debian.sh gcc "$other"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
for platform in amd64:x86_64-linux-gnu arm64:aarch64-linux-gnu; do
  architecture=${platform%%:*}
  sh scripts/image/debian-packages.sh "$architecture" "$cache/debian/$architecture"
  make --no-print-directory -s -C relay "OUT=$work/relay/$architecture" "CC=${platform#*:}-gcc"
done

version=$("$node" -p 'JSON.parse(fs.readFileSync("package.json")).version')
name=leasehold-$version-oci.tar
"$node" scripts/image/main.ts --cache "$cache" --relay "$work/relay" --work "$work" --output "$work/$name" \
  --epoch "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}" --level "${IMAGE_LEVEL:-9}"
if [ -n "${IMAGE_ROOTS:-}" ]; then
  for architecture in amd64 arm64; do
    mkdir -p "$IMAGE_ROOTS/$architecture"
    for layer in runtime program; do cp -a "$work/$architecture/$layer/." "$IMAGE_ROOTS/$architecture"; done
  done
fi
mv -f "$work/$name" "$out/$name.new"
mv -f "$out/$name.new" "$out/$name"
(cd "$out" && sha256sum "$name" >"$name.sha256")
echo "$out/$name: $(($(stat -c %s "$out/$name") / 1000000)) MB"
