# Debian's packages, unpacked in $cache/debian/PACKAGE and not installed: the machine stays as it is.
# shellcheck shell=sh disable=SC2034,SC2154,SC2164
debian_packages='runc containerd busybox-static'
version="$(. /etc/os-release && echo "$ID $VERSION_ID"): $debian_packages"

download() {
  apt-get download -qq "$@" 2>/dev/null && return 0
  # A fresh machine has no package lists, or old ones.
  apt-get update -qq
  apt-get download -qq "$@"
}

build() {
  mkdir -p "$cache/build/debian" "$cache/debian"
  # apt downloads as its own user, who may not enter the cache of root.
  cd "$cache/build/debian"
  for package in $debian_packages; do
    rm -f "$package"_*.deb
    download -o APT::Sandbox::User=root "$package"
    rm -rf "$cache/debian/$package"
    dpkg -x "$package"_*.deb "$cache/debian/$package"
    rm -f "$package"_*.deb
  done
  ln -sf ../debian/runc/usr/sbin/runc "$cache/bin/runc"
  ln -sf ../debian/busybox-static/bin/busybox "$cache/bin/busybox"
}
