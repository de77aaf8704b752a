"""Puts together the image of a consumer: a small Java runtime, Kafka's clients, the load program.

Nothing is pulled: the runtime is cut from the JDK that is installed.
"""

import argparse
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from archive import Image, Layer, write_archive  # noqa: E402
from image import USER, libraries  # noqa: E402

NAME = "weir-consumer"
# What Kafka's consumer names. Its logs go nowhere: their library wants a desktop's modules.
MODULES = "java.base,java.logging,java.management,java.naming,java.security.jgss,java.security.sasl,java.sql,java.xml,jdk.unsupported"
JARS = ("kafka-clients-", "jackson-", "slf4j-", "lz4-", "snappy-", "zstd-")
RUNTIME, APP = "/opt/java", "/opt/app"


def runtime(cache):
    """A Java runtime of those modules alone, kept in the cache by the JDK's version."""
    version = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    key = hashlib.sha256((version + MODULES).encode()).hexdigest()[:12]
    folder = os.path.join(cache, f"runtime-{key}")
    if not os.path.exists(folder):
        shutil.rmtree(folder + ".new", ignore_errors=True)
        subprocess.run(["jlink", "--add-modules", MODULES, "--strip-debug", "--no-man-pages", "--no-header-files",
                        "--compress=2", "--output", folder + ".new"], check=True)
        os.rename(folder + ".new", folder)
    return folder


def runtime_layer(folder):
    layer = Layer().directory("/tmp", 0o1777)
    layer.content("/etc/passwd", f"weir:x:{USER}:{USER}:weir:/tmp:/nologin\n".encode(), 0o644)
    layer.content("/etc/nsswitch.conf", b"hosts: files dns\n", 0o644)
    # The runtime's own libraries find each other by where they lie; ldd has to be told.
    os.environ["LD_LIBRARY_PATH"] = f"{folder}/lib/server:{folder}/lib"
    programs = [f"{folder}/bin/java", f"{folder}/lib/server/libjvm.so", *sorted(glob.glob(f"{folder}/lib/*.so"))]
    for path in libraries(programs):
        if not path.startswith(folder):
            layer.file(path, os.path.realpath(path))
    for place, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(place, name)
            inside = RUNTIME + path[len(folder):]
            if os.path.islink(path):
                layer.link(inside, os.readlink(path))
            else:
                layer.file(inside, path, os.stat(path).st_mode & 0o777)
    return layer.build()


def app_layer(classes, jars):
    layer = Layer()
    for place, _, names in sorted(os.walk(classes)):
        for name in sorted(names):
            path = os.path.join(place, name)
            layer.file(APP + "/classes" + path[len(classes):], path, 0o644)
    for path in sorted(glob.glob(f"{jars}/*.jar")):
        if os.path.basename(path).startswith(JARS):
            layer.file(f"{APP}/{os.path.basename(path)}", path, 0o644)
    return layer.build()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classpath", required=True, help="what e2e/java/jars prints")
    parser.add_argument("--out", required=True, help="the folder of the archives")
    parser.add_argument("--tag", default="e2e")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    classes, jars = re.fullmatch(r"(.+):(.+)/\*", args.classpath).groups()
    layers = [runtime_layer(runtime(args.out)), app_layer(classes, jars)]
    entrypoint = [f"{RUNTIME}/bin/java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
                  "-cp", f"{APP}/classes:{APP}/*", "dev.weir.load.Main"]
    image = Image(f"{NAME}:{args.tag}", layers, entrypoint, User=f"{USER}:{USER}")
    digest = hashlib.sha256(image.config).hexdigest()[:12]
    path = os.path.join(args.out, f"{NAME}-{args.tag}-{digest}.tar")
    if not os.path.exists(path):
        for old in glob.glob(os.path.join(args.out, f"{NAME}-{args.tag}-*.tar")):
            os.remove(old)
        write_archive(path + ".new", [image])
        os.rename(path + ".new", path)
    print(f"{NAME}:{args.tag} {path} {sum(layer.raw_size for layer in layers) / 1e6:.1f} MB", file=sys.stderr)
    print(path)


if __name__ == "__main__":
    main()
