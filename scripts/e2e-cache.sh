# Sourced by scripts that build or run the programs of `make e2e`: $cache is where they lie.
# shellcheck shell=sh disable=SC2034

# A service manager may give none, and Go's own caches are in it.
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d : -f 6)}
export HOME
cache=${LEASEHOLD_E2E_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/leasehold-e2e}
