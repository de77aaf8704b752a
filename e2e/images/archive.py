"""Docker archives (what `docker load` and `kind load image-archive` take) without docker.

Everything in them is fixed (times, owners, order), so the same input gives the same bytes.
"""

import gzip
import hashlib
import io
import json
import os
import tarfile

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
COMPRESSION = 3


class Layer:
    """Files of an image; parents are made as they are needed."""

    def __init__(self):
        self._raw = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._raw, mode="w", format=tarfile.PAX_FORMAT)
        self._known = set()

    def _entry(self, path, kind, mode):
        parent = os.path.dirname(path)
        if parent not in ("", "/") and parent not in self._known:
            self.directory(parent)
        info = tarfile.TarInfo(path.lstrip("/"))
        info.type, info.mode = kind, mode
        self._known.add(path)
        return info

    def directory(self, path, mode=0o755, owner=0):
        if path not in self._known:
            info = self._entry(path, tarfile.DIRTYPE, mode)
            info.uid = info.gid = owner
            self._tar.addfile(info)
        return self

    def content(self, path, data, mode=0o755):
        if path not in self._known:
            info = self._entry(path, tarfile.REGTYPE, mode)
            info.size = len(data)
            self._tar.addfile(info, io.BytesIO(data))
        return self

    def file(self, path, source, mode=0o755):
        with open(source, "rb") as data:
            return self.content(path, data.read(), mode)

    def link(self, path, target):
        info = self._entry(path, tarfile.SYMTYPE, 0o777)
        info.linkname = target
        self._tar.addfile(info)
        return self

    def build(self):
        self._tar.close()
        return BuiltLayer(self._raw.getvalue())


class BuiltLayer:
    def __init__(self, raw):
        self.diff = "sha256:" + hashlib.sha256(raw).hexdigest()
        self.raw_size = len(raw)
        self.data = gzip.compress(raw, COMPRESSION, mtime=0)


class Image:
    def __init__(self, tag, layers, entrypoint, **config):
        self.tag, self.layers = tag, layers
        base = {"Entrypoint": entrypoint, "Env": [f"PATH={PATH}"], "WorkingDir": "/"}
        created = "1970-01-01T00:00:00Z"
        self.config = json.dumps({
            "architecture": "amd64", "os": "linux", "created": created, "config": base | config,
            "rootfs": {"type": "layers", "diff_ids": [layer.diff for layer in layers]},
            "history": [{"created": created, "created_by": "weir"} for _ in layers],
        }).encode()


def write_archive(path, images):
    written, manifest = set(), []
    with tarfile.open(path, "w") as out:
        def add(name, data):
            if name not in written:
                written.add(name)
                info = tarfile.TarInfo(name)
                info.size = len(data)
                out.addfile(info, io.BytesIO(data))

        # kind reads only the first entry of manifest.json, but all of `repositories` if that comes first.
        repositories = {}
        for image in images:
            name, tag = image.tag.rsplit(":", 1)
            repositories.setdefault(name, {})[tag] = "0" * 64
        add("repositories", json.dumps(repositories).encode())
        for image in images:
            config = hashlib.sha256(image.config).hexdigest() + ".json"
            add(config, image.config)
            layers = []
            for layer in image.layers:
                layers.append(f"{layer.diff[7:]}/layer.tar")
                add(layers[-1], layer.data)
            manifest.append({"Config": config, "RepoTags": [image.tag], "Layers": layers})
        add("manifest.json", json.dumps(manifest).encode())
