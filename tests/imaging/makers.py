"""Small pictures and files for the tests of this room."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def saved(image, format="PNG", **how):
    """The file that Pillow makes of an image."""
    buffer = io.BytesIO()
    image.save(buffer, format, **how)
    return buffer.getvalue()


def noise(shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def smooth(height=48, width=64, channels=3, dtype=np.uint8):
    """A picture that lossy formats keep almost as it is."""
    y, x = np.mgrid[:height, :width]
    planes = [x / width, y / height, (x + y) / (width + height)][:channels]
    return (np.stack(planes, axis=2) * np.iinfo(dtype).max).astype(dtype)


def chunk(kind, body, crc=None):
    """A chunk of a PNG."""
    crc = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def png_with(*chunks, pixels=None):
    """The file of a smooth picture, or of `pixels`, with chunks before its own pixels."""
    data = saved(Image.fromarray(smooth() if pixels is None else pixels))
    at = data.index(b"IDAT") - 4
    return data[:at] + b"".join(chunks) + data[at:]
