# What the lab is made of, as its Go module says. A change of any of these builds that part again.
pinned() { sed -n "s|^\t$1 \(v[0-9.]*\).*|\1|p" "$(dirname "${BASH_SOURCE[0]}")/go/go.mod"; }
KIND_VERSION=$(pinned sigs.k8s.io/kind)
KUBERNETES_VERSION=$(pinned k8s.io/kubernetes)
HELM_VERSION=$(pinned helm.sh/helm/v3)
COREDNS_VERSION=$(pinned github.com/coredns/coredns)
LOCAL_PATH_VERSION=$(pinned github.com/rancher/local-path-provisioner)
GO_WANTED=1.26
CLUSTER=weir-e2e
NETWORK=weir-e2e
BRIDGE=weir-e2e0
