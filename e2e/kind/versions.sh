# What the lab is made of. A change of any of these builds that part again.
KIND_VERSION=v0.33.0
KUBERNETES_VERSION=v1.34.4
HELM_VERSION=v3.19.0
COREDNS_VERSION=v1.13.1
LOCAL_PATH_VERSION=v0.0.30
GO_WANTED=1.26
CLUSTER=weir-e2e
NETWORK=weir-e2e
BRIDGE=weir-e2e0
