"""What `tools/fuzz.py` begins with, valid files of every kind that is read, and how it spoils them."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import re
import struct
import sys
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from enhance_cli.imaging import files
from enhance_cli.imaging.formats import FORMATS
from enhance_cli.imaging.picture import Picture

Mutation = Callable[[bytes, random.Random], bytes]

SIDE = 24
NUMBERS = (0, 1, 2, 7, 8, 16, 24, 32, 127, 128, 255, 256, 1000, 4095, 10_000, 32767, 32768, 65535, 65536,
           2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1)  # fmt: skip
"""Where counts and lengths go wrong."""
CANARY = "enhance.canary"
"""The audit event that code in a hostile checkpoint raises."""


def picture_seeds() -> dict[str, bytes]:
    """Valid pictures by their name, whose start is the format: every family, its odd corners too."""
    seeds: dict[str, bytes] = {}
    y, x = np.mgrid[:SIDE, : SIDE + 3]
    rgb = np.stack([x * 9, y * 10, (x * y) % 256], axis=2).astype(np.uint8)
    modes = {
        mode: Image.fromarray(rgb).convert(mode) for mode in ("L", "RGB", "RGBA", "LA", "P", "1", "CMYK")
    }
    deep = Image.fromarray((rgb[..., 0].astype(np.uint16) << 8) + 77)
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010E: "a description", 0x0132: "2020:01:02 03:04:05"})
    exif.get_ifd(0x8769).update({0x9003: "2020:01:02 03:04:05", 0xA002: SIDE, 0xA003: SIDE})
    exif.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
    xmp = (
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a tiff:Orientation='6' exif:PixelXDimension='24'/></x:xmpmeta>"
    )
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a title")
    text.add_itxt("Comment", "gr\u00fc\u00dfe", zip=True)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    def add(name: str, image: Image.Image, format: str, **how: Any) -> None:
        buffer = io.BytesIO()
        # A saved image remembers what its encoder was told.
        image.copy().save(buffer, format, **how)
        seeds[name] = buffer.getvalue()

    for mode in ("L", "RGB", "RGBA", "LA", "P", "1"):
        add(f"PNG {mode}", modes[mode], "PNG")
    add("PNG 16", deep, "PNG")
    add("PNG metadata", modes["RGB"], "PNG", pnginfo=text, exif=exif, icc_profile=icc, dpi=(300, 300))
    add("PNG transparent", modes["P"], "PNG", transparency=3)
    others = [
        modes["RGB"].transpose(turn) for turn in (Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM)
    ]
    add("PNG animated", modes["RGB"], "PNG", save_all=True, append_images=others, duration=40)
    seeds["PNG RGB16"] = files.encode(Picture(rgb.astype(np.uint16) * 257), "PNG")
    for name, how in {
        "plain": {}, "progressive": {"progressive": True}, "4:4:4": {"subsampling": 0},
        "metadata": {"exif": exif, "xmp": xmp, "icc_profile": icc, "comment": b"a comment", "dpi": (72, 72)},
        "restart": {"restart_marker_blocks": 1},
    }.items():  # fmt: skip
        add(f"JPEG {name}", modes["RGB"], "JPEG", **how)
    add("JPEG gray", modes["L"], "JPEG")
    add("JPEG CMYK", modes["CMYK"], "JPEG")
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        add(f"TIFF {compression}", modes["RGB"], "TIFF", compression=compression)
    add("TIFF group4", modes["1"], "TIFF", compression="group4")
    add("TIFF 16", deep, "TIFF")
    add("TIFF CMYK", modes["CMYK"], "TIFF")
    add("TIFF float", Image.fromarray(rgb[..., 0].astype(np.float32) / 255), "TIFF")
    add("TIFF palette", modes["P"], "TIFF")
    add("TIFF pages", modes["RGBA"], "TIFF", save_all=True, append_images=[modes[one].copy() for one in "LP"])
    add("TIFF metadata", modes["RGB"], "TIFF", exif=exif, icc_profile=icc, dpi=(300, 300))
    seeds["TIFF RGB16"] = files.encode(Picture(rgb.astype(np.uint16) * 257), "TIFF")
    add("WEBP lossy", modes["RGB"], "WEBP", quality=60)
    add("WEBP lossless", modes["RGBA"], "WEBP", lossless=True, exif=exif, xmp=xmp)
    add("WEBP animated", modes["RGB"], "WEBP", save_all=True, append_images=others, duration=40)
    for mode in ("L", "RGB", "P", "1", "RGBA"):
        add(f"BMP {mode}", modes[mode], "BMP")
    add("GIF", modes["P"], "GIF", transparency=0, comment=b"a comment")
    add("GIF animated", modes["RGB"], "GIF", save_all=True, append_images=others, duration=40, loop=2)
    for mode in ("L", "RGB", "1"):
        add(f"PPM {mode}", modes[mode], "PPM")
    seeds["PPM 16"] = b"P6 3 2 65535\n" + bytes(range(36))
    seeds["PPM text"] = b"P3\n# a comment\n3 2 255\n" + b" ".join(b"%d" % (13 * n) for n in range(18))
    seeds["PPM bits"] = b"P1 4 2\n0 1 0 1 1 0 1 0\n"
    seeds["PPM pam"] = b"P7\nWIDTH 3\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + bytes(
        range(24)
    )
    seeds["PPM float"] = b"PF\n3 2\n-1.0\n" + np.linspace(0, 1, 18, dtype="<f4").tobytes()
    picture = Picture(rgb)
    transparent = Picture(rgb, np.ascontiguousarray(rgb[..., 0]))
    for format in ("AVIF", "HEIF", "JXL"):
        if FORMATS[format].missing is None:
            seeds[f"{format} RGB"] = files.encode(picture, format)
            seeds[f"{format} RGBA"] = files.encode(transparent, format)
    if FORMATS["AVIF"].missing is None:
        # Not with EXIF that turns it: Pillow's encoder ends the process.
        add("AVIF animated", modes["RGB"], "AVIF", save_all=True, append_images=others, xmp=xmp)
    return seeds


class _Call:
    """Pickled as the call of a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.args


def checkpoint_seeds() -> dict[str, bytes]:
    """Weights files by their name, whose start is the container; the hostile ones would run code if read."""
    import h5py
    import safetensors.torch
    import torch

    from enhance_cli.arch.registry import ARCHITECTURES
    from enhance_cli.checkpoints.reader import save_file

    torch.manual_seed(0)
    parameters = {"n_colours": 1, "n_feats": 4, "n_layers": 3, "batch_norm": True}
    module = ARCHITECTURES["dncnn"].build(**parameters)
    # The keys of KAIR's DnCNN, which is known by them.
    foreign = OrderedDict(
        (f"model.{2 * number}.{kind}", torch.rand(*shape))
        for number, (n_out, n_in) in enumerate([(8, 1), (8, 8), (1, 8)])
        for kind, shape in (("weight", (n_out, n_in, 3, 3)), ("bias", (n_out,)))
    )
    seeds: dict[str, bytes] = {}

    def saved(content: Any, **how: Any) -> bytes:
        buffer = io.BytesIO()
        torch.save(content, buffer, **how)
        return buffer.getvalue()

    told = {"n_colours": 1, "n_feats": 4, "condition": "quality"}
    unet = ARCHITECTURES["unet"].build(**told)
    with TemporaryDirectory() as folder:
        path = Path(folder, "net.safetensors")
        for name, one, values in (("dncnn", module, parameters), ("unet", unet, told)):
            task = "denoise" if name == "dncnn" else "dejpeg"
            save_file(path, one, arch=name, parameters=values, task=task, metadata={"licence": "MIT"})
            seeds[f"safetensors {name}"] = path.read_bytes()
        matlab = Path(folder, "net.mat")
        with h5py.File(matlab, "w", userblock_size=512) as file:
            pool, net = file.create_group("#refs#"), file.create_group("net")
            layers = net.create_dataset("layers", (3, 1), h5py.ref_dtype)
            for number in range(3):
                layer = pool.create_group(f"layer{number}")
                kind = ("conv", "relu", "conv")[number]
                layer["type"] = np.array([[ord(letter)] for letter in kind], "u2")
                layers[number, 0] = layer.ref
                if kind == "conv":
                    weights = layer.create_dataset("weights", (2, 1), h5py.ref_dtype)
                    for place, content in enumerate((np.ones((4, 1, 3, 3), "f4"), np.ones((1, 4), "f4"))):
                        weights[place, 0] = pool.create_dataset(f"{number}-{place}", data=content).ref
        seeds["matlab"] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + matlab.read_bytes()[512:]
    seeds["safetensors foreign"] = safetensors.torch.save(dict(foreign))
    for name, content in {
        "state": foreign,
        "wrapped": {"state_dict": {f"module.{key}": value for key, value in foreign.items()}, "epoch": 3},
        "views": {"a": torch.arange(24.0).reshape(4, 6)[1:, ::2], "b": torch.ones(3, dtype=torch.bfloat16)},
        "module": module,
        "optimiser": {"params_ema": foreign, "lr": [0.1, None, True], "when": (1, "x", b"y")},
    }.items():
        seeds[f"zip {name}"] = saved(content)
        seeds[f"legacy {name}"] = saved(content, _use_new_zipfile_serialization=False)
    code = f"import sys; sys.audit({CANARY!r})"
    for name, call in {
        "system": _Call(os.system, "true"),
        "exec": _Call(exec, code),
        "eval": _Call(eval, f"__import__('sys').audit({CANARY!r})"),
        "audit": _Call(sys.audit, CANARY),
        "load": _Call(pickle.loads, pickle.dumps(_Call(sys.audit, CANARY))),
    }.items():
        hostile = {"state_dict": foreign, "epoch": call}
        seeds[f"zip hostile {name}"] = saved(hostile)
        seeds[f"legacy hostile {name}"] = saved(hostile, _use_new_zipfile_serialization=False)
        seeds[f"pickle hostile {name}"] = pickle.dumps({"state_dict": {}, "epoch": call}, 4)
    seeds["onnx"] = b"\x08\x07\x12\x07pytorch\x1a\x052.1.0" + bytes(range(256))
    seeds["pickle names"] = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."
    return seeds


def mutated(data: bytes, name: str, rng: random.Random, others: list[bytes]) -> bytes:
    """The file spoilt in one way or several; half of the time where its own checks do not find it at once.

    `others`: files of the same kind, out of which pieces are taken.
    """
    inside = _INSIDE.get(name.split()[0])
    if inside is not None and rng.random() < 0.5:
        return inside(data, rng)
    return _spoilt(data, rng, others)


def _spoilt(data: bytes, rng: random.Random, others: list[bytes] | None = None) -> bytes:
    """1 to 8 mutations that know nothing of the kind."""
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not content:
            break
        # The start of a file is where its sizes stand.
        reach = rng.choice((len(content), len(content), min(len(content), 64)))
        at, length = rng.randrange(reach), rng.choice((1, 2, 4, 8, 16, 64, 256))
        way = rng.randrange(10)
        if way == 0:
            content[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            content[at] = rng.randrange(256)
        elif way in (2, 3):
            code = rng.choice("<>") + rng.choice("HIIQ")
            number = rng.choice(NUMBERS) & (256 ** struct.calcsize(code) - 1)
            content[at : at + struct.calcsize(code)] = struct.pack(code, number)
        elif way == 4:
            del content[at : at + length]
        elif way == 5:
            content[at:at] = content[at : at + length] * rng.choice((1, 1, 2, 100))
        elif way == 6:
            content[at : at + length] = rng.choice((b"\0", b"\xff", rng.randbytes(1))) * length
        elif way == 7:
            del content[at:]
        elif way == 8 and others:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            content[at : at + length] = other[start : start + length]
        else:
            digits = [found for found in re.finditer(rb"\d+", bytes(content[:4096]))]
            if digits:
                found = rng.choice(digits)
                content[found.start() : found.end()] = b"%d" % rng.choice(NUMBERS)
    return bytes(content)


def _png(data: bytes, rng: random.Random) -> bytes:
    """One chunk spoilt, inflated where it is packed, dropped or doubled; all checksums right."""
    chunks = list(_png_chunks(data))
    which = rng.randrange(len(chunks))
    kind, body = chunks[which]
    way = rng.randrange(6)
    if way == 0:
        del chunks[which]
    elif way == 1:
        chunks.insert(rng.randrange(len(chunks)), (kind, body))
    elif kind in (b"IDAT", b"fdAT") and way < 4:
        skipped = 4 * (kind == b"fdAT")
        pixels = _spoilt(zlib.decompress(body[skipped:]), rng)
        chunks[which] = kind, body[:skipped] + zlib.compress(pixels)
    else:
        chunks[which] = kind, _spoilt(body, rng)
    return data[:8] + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def _zip(data: bytes, rng: random.Random) -> bytes:
    """One entry spoilt, most often the pickle; the archive itself is right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    pickled = next(number for number, (name, _) in enumerate(entries) if name.endswith("data.pkl"))
    which = pickled if rng.random() < 0.8 else rng.randrange(len(entries))
    entries[which] = entries[which][0], _spoilt(entries[which][1], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def _safetensors(data: bytes, rng: random.Random) -> bytes:
    """The header spoilt, as JSON or as text, with its right length."""
    length = int.from_bytes(data[:8], "little")
    text, rest = data[8 : 8 + length], data[8 + length :]
    if rng.random() < 0.5:
        text = _spoilt(text, rng)
    else:
        header = json.loads(text)
        metadata = header.get("__metadata__", {})
        kinds = [0, -1, 1e308, 2**70, "x", "", None, [], {}, True, [1] * 50, {"a": {}}]
        if "parameters" in metadata and rng.random() < 0.6:
            parameters = json.loads(metadata["parameters"])
            parameters[rng.choice([*parameters, "scale", "n_blocks", "x"])] = rng.choice([*kinds, *NUMBERS])
            metadata["parameters"] = json.dumps(parameters)
        elif metadata and rng.random() < 0.5:
            metadata[rng.choice([*metadata, "tasks", "chosen_for"])] = str(
                rng.choice([*kinds, "unet", "rcan", "sr"])
            )
        else:
            tensor = rng.choice([one for one in header if one != "__metadata__"])
            field = rng.choice([*header[tensor], "dtype"])
            header[tensor][field] = rng.choice([*kinds, "F16", "I64", "BOOL", [2**40, 2**40], [0], [8, 0]])
        text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


_INSIDE: dict[str, Mutation] = {"PNG": _png, "zip": _zip, "safetensors": _safetensors}
