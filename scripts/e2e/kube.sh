# Kubernetes, from its Go module.
# shellcheck shell=sh disable=SC2034,SC2154,SC2164
version=v1.37.2

# go.mod of k8s.io/kubernetes points at staging folders, which a published module lacks: here at the modules that
# Kubernetes publishes of them, v0.37.2 for v1.37.2. Its other requirements come by themselves.
kube_module() {
  source=$("$go" mod download -json "k8s.io/kubernetes@$version" | sed -n 's/^\t*"Dir": "\(.*\)",*$/\1/p')
  {
    echo 'module kube'
    grep -E '^(go|godebug) ' "$source/go.mod"
    echo "require k8s.io/kubernetes $version"
    sed -n "s|^[[:space:]]*\(k8s.io/[a-z0-9-]*\) => ./staging/.*|replace \1 => \1 v0${version#v1}|p" "$source/go.mod"
  } >go.mod
  {
    printf '//go:build tools\n\npackage kube\n\n'
    for program in $programs; do echo "import _ \"k8s.io/kubernetes/cmd/$program\""; done
  } >tools.go
}

build() {
  find_or_fetch_go
  programs='kubelet kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubectl'
  mkdir -p "$cache/build/kube"
  cd "$cache/build/kube"
  kube_module
  # What its own build sets (hack/lib/version.sh); the API server does not start without.
  minor=${version#v1.}
  flags="-s -w -X k8s.io/client-go/pkg/version.gitVersion=$version"
  for setting in "gitVersion=$version" gitMajor=1 "gitMinor=${minor%%.*}" gitTreeState=clean; do
    flags="$flags -X k8s.io/component-base/version.$setting"
  done
  for name in $programs; do go_build "$name" "k8s.io/kubernetes/cmd/$name" -ldflags "$flags"; done
}
