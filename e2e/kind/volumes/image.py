"""Writes the image of the volume driver: one program and nothing else."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "images"))
from archive import Image, Layer, write_archive  # noqa: E402

program, tag, out = sys.argv[1:]
write_archive(out, [Image(tag, [Layer().file("/weir-loop", program).build()], ["/weir-loop"])])
