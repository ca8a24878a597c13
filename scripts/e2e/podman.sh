# podman with what it needs, from Debian and unpacked in $cache/podman: installed, it would enable services and put a network
# configuration on the machine. What the machine has anyway (libraries) stays where it is.
# shellcheck shell=sh disable=SC2034,SC2154
podman_packages='podman conmon runc golang-github-containers-common'
version="$(. /etc/os-release && echo "$ID $VERSION_ID"): $podman_packages"

# apt downloads as its own user, who may not enter the cache of root. "--reinstall": also those that are installed here.
fetch_with_libraries() {
  # shellcheck disable=SC2086 # names of packages
  apt-get install -qq -y --download-only --reinstall --no-install-recommends -o APT::Sandbox::User=root -o DPkg::Lock::Timeout=600 \
    -o Dir::Cache::archives="$1" $podman_packages </dev/null
}

build() {
  packages=$cache/build/podman
  rm -rf "$packages" "$cache/podman"
  mkdir -p "$packages/partial" "$cache/podman"
  # A fresh machine has no package lists, or old ones.
  fetch_with_libraries "$packages" >/dev/null 2>&1 || {
    apt-get update -qq
    fetch_with_libraries "$packages"
  }
  for package in "$packages"/*.deb; do dpkg -x "$package" "$cache/podman"; done
  # Where /lib is a link to /usr/lib, as on every Debian since 12; only /usr is looked at.
  if [ -d "$cache/podman/lib" ]; then
    cp -a "$cache/podman/lib/." "$cache/podman/usr/lib/"
    rm -rf "$cache/podman/lib"
  fi
  # The documentation and the units of services are not needed.
  rm -rf "$packages" "$cache/podman/usr/share/doc" "$cache/podman/usr/share/man" "$cache/podman/usr/lib/systemd"
}
