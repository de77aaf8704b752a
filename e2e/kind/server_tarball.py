"""Writes the kubernetes-server tarball that `kind build node-image --type file` takes.

All images go, as docker archives, into the four tars that it knows; it asks a registry only for
those that none of the four holds: what `kubeadm config images list` names, the network daemon and
the storage provisioner.
"""

import argparse
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "images"))
from archive import Image, Layer, write_archive  # noqa: E402

SHARED_OBJECTS = "/usr/lib/x86_64-linux-gnu/xtables/*.so"
ROLES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kindnetd", "kubectl")
IPTABLES = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")
ETCD_TAG = "3.6.5-0"
COREDNS_TAG = "v1.12.1"


def kind_constant(source, file, name):
    with open(f"{source}/pkg/build/nodeimage/{file}", encoding="utf-8") as text:
        return re.search(name + r' = "([^"]+)"', text.read()).group(1)


def sandbox_image(root):
    with open(f"{root}/etc/containerd/config.toml", encoding="utf-8") as text:
        return re.search(r'sandbox_image = "([^"]+)"', text.read()).group(1)


def from_root(root, paths, plugins=()):
    """Programs of the Debian root with every library they name."""
    wanted = list(paths) + list(plugins)
    named = set()
    for path in wanted:
        out = subprocess.run(["chroot", root, "ldd", path], capture_output=True, text=True, check=False).stdout
        named.update(re.findall(r"(/lib\S+)", out))
    for path in wanted + sorted(named):
        real = subprocess.check_output(["chroot", root, "readlink", "-f", path], text=True).strip()
        yield path, root + real


def kubernetes_layer(parts):
    layer = Layer().file("/usr/local/bin/kubernetes", f"{parts}/kubernetes").directory("/tmp", 0o1777)
    for role in ROLES:
        layer.link(f"/usr/local/bin/{role}", "kubernetes")
    return layer.build()


def network_layer(root):
    plugins = sorted(p[len(root):] for p in glob.glob(root + SHARED_OBJECTS))
    layer = Layer()
    programs = ["/usr/sbin/xtables-nft-multi", "/usr/sbin/nft", "/usr/sbin/conntrack", "/sbin/ip", "/bin/kmod", "/bin/dash"]
    for path, source in from_root(root, programs, plugins):
        layer.file(path, source)
    for name in IPTABLES:
        layer.link(f"/usr/sbin/{name}", "xtables-nft-multi")
    return layer.link("/bin/sh", "dash").link("/sbin/modprobe", "/bin/kmod").build()


def busybox_layer():
    layer = Layer().file("/bin/busybox", "/bin/busybox").directory("/tmp", 0o1777)
    layer.content("/etc/passwd", b"root:x:0:0:root:/:/bin/sh\n")
    for applet in subprocess.check_output(["/bin/busybox", "--list"], text=True).split():
        if applet != "busybox":
            layer.link(f"/bin/{applet}", "busybox")
    return layer.build()


def server_tars(args):
    registry = "registry.k8s.io"
    kubernetes, network = kubernetes_layer(args.parts), network_layer(args.root)

    def control(name, layers):
        return Image(f"{registry}/{name}:{args.version}", layers, [f"/usr/local/bin/{name}"])

    def single(tag, path, part):
        return Image(tag, [Layer().file(path, f"{args.parts}/{part}").build()], [path])

    provisioner = kind_constant(args.kind_source, "const_storage.go", "storageProvisionerImage")
    helper = kind_constant(args.kind_source, "const_storage.go", "storageHelperImage")
    daemon = kind_constant(args.kind_source, "const_cni.go", "kindnetdImage")
    return {
        "kube-apiserver": [
            control("kube-apiserver", [kubernetes]),
            single(f"{registry}/etcd:{ETCD_TAG}", "/usr/local/bin/etcd", "etcd"),
            single(f"{registry}/coredns/coredns:{COREDNS_TAG}", "/coredns", "coredns"),
            single(sandbox_image(args.root), "/pause", "pause"),
        ],
        "kube-controller-manager": [control("kube-controller-manager", [kubernetes])],
        "kube-scheduler": [control("kube-scheduler", [kubernetes])],
        "kube-proxy": [
            control("kube-proxy", [kubernetes, network]),
            Image(daemon, [kubernetes, network], ["/usr/local/bin/kindnetd"]),
            single(provisioner, "/usr/local/bin/local-path-provisioner", "local-path-provisioner"),
            Image(helper, [busybox_layer()], ["/bin/sh"]),
        ],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("parts", "root", "kind-source", "version", "out"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    binaries = f"{args.out}/kubernetes/server/bin"
    os.makedirs(binaries)
    with open(f"{args.out}/kubernetes/version", "w", encoding="utf-8") as text:
        text.write(args.version + "\n")
    for name in ("kubeadm", "kubelet", "kubectl"):
        with open(f"{binaries}/{name}", "w", encoding="utf-8") as text:
            text.write(f'#!/bin/sh\nexec /kind/kubernetes/{name} "$@"\n')
    for name, images in server_tars(args).items():
        write_archive(f"{binaries}/{name}.tar", images)
    out = f"{args.out}/kubernetes-server-linux-amd64.tar.gz"
    subprocess.check_call(["tar", "-C", args.out, "-I", "gzip -1", "-cf", out, "kubernetes"])


if __name__ == "__main__":
    main()
