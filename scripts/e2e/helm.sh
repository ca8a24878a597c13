# Helm, which renders and judges the chart.
# shellcheck shell=sh disable=SC2034,SC2154,SC2164
version=v4.3.2

build() {
  find_or_fetch_go
  mkdir -p "$cache/build/helm"
  cd "$cache/build/helm"
  printf 'module helm\n\ngo 1.26.0\n\nrequire helm.sh/helm/v4 %s\n' "$version" >go.mod
  go_build helm helm.sh/helm/v4/cmd/helm -ldflags '-s -w'
}
