"""Puts the broker's and the operator's images together from programs that are already built.

An image is the program, the shared libraries that it names, the certificates of Debian's package,
an unprivileged user and an empty /tmp. Archives are named by what is in them, so an image that did
not change is the file that is already there.
"""

import argparse
import glob
import hashlib
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from archive import Image, Layer, write_archive  # noqa: E402

USER = 65532
SIZE_MAX = 60_000_000
CERTIFICATES = "/usr/share/ca-certificates/mozilla/*.crt"

# image → its programs, the first of which it starts with
IMAGES = {
    "weir-broker": ["weir-broker", "weir"],
    "weir-operator": ["weir-operator"],
}


def libraries(programs):
    """Paths of the shared libraries, the loader among them, as the programs name them."""
    named = set()
    for program in programs:
        out = subprocess.check_output(["ldd", program], text=True)
        if "not found" in out:
            raise SystemExit(f"{program} names a library that is not here:\n{out}")
        named.update(re.findall(r"(?:=> |^\s*)(/\S+) \(0x", out, re.MULTILINE))
    return sorted(named)


def certificates():
    parts = []
    for path in sorted(glob.glob(CERTIFICATES)):
        with open(path, "rb") as data:
            parts.append(data.read())
    if not parts:
        raise SystemExit("Debian's ca-certificates are not installed: make deps")
    return b"".join(parts)


def base_layer(programs):
    layer = Layer().directory("/tmp", 0o1777).directory("/var/lib/weir", 0o750, USER)
    user = f"root:x:0:0:root:/:/nologin\nweir:x:{USER}:{USER}:weir:/var/lib/weir:/nologin\n"
    layer.content("/etc/passwd", user.encode(), 0o644)
    layer.content("/etc/group", f"root:x:0:\nweir:x:{USER}:\n".encode(), 0o644)
    layer.content("/etc/nsswitch.conf", b"hosts: files dns\n", 0o644)
    layer.content("/etc/ssl/certs/ca-certificates.crt", certificates(), 0o644)
    for path in libraries(programs):
        layer.file(path, os.path.realpath(path))
    return layer.build()


def program_layer(programs):
    layer = Layer()
    for program in programs:
        layer.file(f"/usr/local/bin/{os.path.basename(program)}", program)
    return layer.build()


def build(name, programs, tag):
    layers = [base_layer(programs), program_layer(programs)]
    entrypoint = [f"/usr/local/bin/{os.path.basename(programs[0])}"]
    image = Image(f"{name}:{tag}", layers, entrypoint, User=f"{USER}:{USER}")
    size = sum(layer.raw_size for layer in layers)
    if size > SIZE_MAX:
        raise SystemExit(f"{name} has {size / 1e6:.1f} MB; {SIZE_MAX / 1e6:.0f} MB are allowed")
    return image, size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True, help="the folder that cargo built them in")
    parser.add_argument("--out", required=True, help="the folder of the archives")
    parser.add_argument("--tag", default="e2e")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    for name, programs in IMAGES.items():
        image, size = build(name, [os.path.join(args.programs, p) for p in programs], args.tag)
        digest = hashlib.sha256(image.config).hexdigest()[:12]
        path = os.path.join(args.out, f"{name}-{args.tag}-{digest}.tar")
        if not os.path.exists(path):
            for old in glob.glob(os.path.join(args.out, f"{name}-{args.tag}-*.tar")):
                os.remove(old)
            write_archive(path + ".new", [image])
            os.rename(path + ".new", path)
        print(f"{name}:{args.tag} {path} {size / 1e6:.1f} MB", file=sys.stderr)
        print(path)


if __name__ == "__main__":
    main()
