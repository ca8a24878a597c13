#!/bin/sh
# Makes OUT/leasehold-VERSION-linux-ARCH.tar.gz, which runs where no Node is, and its .sha256. Called by `make dist`.
# The same sources give the same bytes: sorted, owned by root, dated by SOURCE_DATE_EPOCH or the last commit.
# OUT: dist; DIST_LEVEL: how hard gzip tries (9).
set -eu
cd "$(dirname "$0")/.."
umask 022
node=$PWD/node_modules/node/bin/node
out=${OUT:-dist}
mkdir -p "$out"

version=$("$node" -p 'JSON.parse(fs.readFileSync("package.json")).version')
arch=$("$node" -p process.arch)
name=leasehold-$version-linux-$arch
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT INT TERM
"$node" scripts/dist-tree.ts "$stage/$name"
# Node needs it, and a Debian without a compiler does not have it. Under the GCC Runtime Library Exception.
atomic=$(ldd "$node" | sed -n 's/^[[:space:]]*libatomic\.so\.1 => \(.*\) (.*$/\1/p')
if [ -n "$atomic" ]; then
  install -D -m 0644 "$atomic" "$stage/$name/lib/libatomic.so.1"
  install -m 0644 /usr/share/doc/libatomic1/copyright "$stage/$name/lib/libatomic.copyright"
  chmod 0755 "$stage/$name/lib"
fi
(
  export LC_ALL=C
  tar --directory "$stage" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --format=gnu \
    -cf "$stage/tar" "$name"
)
gzip -n "-${DIST_LEVEL:-9}" <"$stage/tar" >"$out/$name.tar.gz.new"
mv -f "$out/$name.tar.gz.new" "$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$out/$name.tar.gz: $(($(stat -c %s "$out/$name.tar.gz") / 1000000)) MB"
