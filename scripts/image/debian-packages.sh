#!/bin/sh
# Fetches the Debian packages with the libraries that Node needs, for any architecture, and unpacks them.
#   scripts/image/debian-packages.sh ARCHITECTURE FOLDER
# In FOLDER: root/ (what is in them) and versions ("PACKAGE VERSION" a line). apt works in a folder of its own, with
# lists of its own: this machine's packages and architectures stay as they are, and it needs no root. What comes is
# signed by Debian's archive key. A second call fetches nothing; remove FOLDER for newer packages.
# They come from where this machine's apt has Debian from; DEBIAN_MIRROR, DEBIAN_SECURITY_MIRROR: from other places.
set -eu
[ $# -eq 2 ] || {
  echo 'usage: scripts/image/debian-packages.sh ARCHITECTURE FOLDER' >&2
  exit 2
}
arch=$1
folder=$2
# The release whose libraries the image has, whatever the building machine is: Node 26 needs glibc 2.28.
suite=bookworm
packages='gcc-12-base libatomic1 libc6 libgcc-s1 libstdc++6'
# Where this machine has Debian from, by the end of the release: "-security", or nothing.
place() {
  apt-get indextargets --format '$(ORIGIN)|$(RELEASE)|$(REPO_URI)' 'Created-By: Packages' |
    sed -n "s#^\\(Debian\\)\\{0,1\\}|[a-z]*$1|##p" | head -n 1
}
mirror=${DEBIAN_MIRROR:-$(place '')}
security=${DEBIAN_SECURITY_MIRROR:-$(place -security)}
[ -n "$mirror" ] && [ -n "$security" ] || {
  echo "image: apt has no source of Debian and its security updates here: name them in DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR" >&2
  exit 1
}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
exec 9>"$folder/.lock"
flock -w 600 9
[ -e "$folder/versions" ] && exit 0
[ -r "$keyring" ] || {
  echo "image: $keyring is missing: install debian-archive-keyring" >&2
  exit 1
}
rm -rf "$folder/apt" "$folder/root"
mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/apt/debs" "$folder/root"
: >"$folder/apt/status"
printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" "$keyring" "$mirror" "$suite-updates" \
  "$keyring" "$security" "$suite-security" >"$folder/apt/sources.list"
cat >"$folder/apt/conf" <<EOF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Dir::State "$folder/apt";
Dir::State::lists "$folder/apt/lists";
Dir::State::status "$folder/apt/status";
Dir::Cache "$folder/apt";
Dir::Cache::archives "$folder/apt/archives";
Dir::Etc::sourcelist "$folder/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::trustedparts "/dev/null";
EOF
export APT_CONFIG="$folder/apt/conf"
echo "image: fetching Debian's $packages for $arch" >&2
apt-get update -qq
# shellcheck disable=SC2086 # a list of names
(cd "$folder/apt/debs" && apt-get download -qq $packages)
for deb in "$folder"/apt/debs/*.deb; do
  dpkg-deb --extract "$deb" "$folder/root"
  dpkg-deb --show --showformat '${Package} ${Version}\n' "$deb" >>"$folder/apt/versions"
done
rm -rf "$folder/apt/lists" "$folder/apt/archives"
sort "$folder/apt/versions" >"$folder/versions.new"
mv "$folder/versions.new" "$folder/versions"
rm -rf "$folder/apt"
