"""XMP packets (ISO 16684-1), edited in place: what is not touched keeps its bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

_EXIF = b"http://ns.adobe.com/exif/1.0/"
_SIZES = (
    (_EXIF, b"exif", b"PixelXDimension", b"PixelYDimension"),
    (b"http://ns.adobe.com/tiff/1.0/", b"tiff", b"ImageWidth", b"ImageLength"),
)
"""Namespace, its usual prefix, patterns of the names of what counts pixels along width and height."""
_PANORAMA = (b"http://ns.google.com/photos/1.0/panorama/", b"GPano")
_COUNTS = (
    (
        *_PANORAMA,
        rb"CroppedArea(?:ImageWidth|Left)Pixels|FullPanoWidthPixels|LargestValidInteriorRect(?:Left|Width)",
        rb"CroppedArea(?:ImageHeight|Top)Pixels|FullPanoHeightPixels|LargestValidInteriorRect(?:Top|Height)",
    ),
    (b"http://ns.adobe.com/xap/1.0/sType/Dimensions#", b"stDim", b"w", b"h"),
)

# What describes data appended to a file, which are not in the result: namespace, usual prefix, names, what.
_COMPANIONS = (
    (
        b"http://ns.google.com/photos/1.0/camera/",
        b"GCamera",
        rb"(?:MotionPhoto|MicroVideo)\w*",
        "video of a motion photo",
    ),
    (b"http://ns.oplus.com/photos/1.0/camera/", b"OpCamera", rb"MotionPhoto\w*", "video of a motion photo"),
    (b"http://ns.google.com/photos/1.0/container/", b"Container", rb"\w+", "video or gain map"),
    (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"hdrgm", rb"\w+", "gain map (HDR)"),
    (b"http://ns.apple.com/HDRGainMap/1.0/", b"HDRGainMap", rb"\w+", "gain map (HDR)"),
    (b"http://ns.google.com/photos/1.0/depthmap/", b"GDepth", rb"\w+", "depth map"),
    (b"http://ns.google.com/photos/1.0/image/", b"GImage", rb"\w+", "second picture"),
    (b"http://ns.google.com/photos/1.0/audio/", b"GAudio", rb"\w+", "sound"),
    (b"http://ns.adobe.com/xmp/note/", b"xmpNote", rb"HasExtendedXMP", "second part of the XMP"),
)


def orientation_of(xmp: bytes) -> int:
    """Orientation 1..8 that a packet names, 1 by default."""
    found = re.search(rb"""tiff:Orientation(?:\s*=\s*["']|>)\s*([1-8])\b""", xmp)
    return int(found[1]) if found else 1


def upright(xmp: bytes) -> bytes:
    """The packet with its orientation reset to 1."""
    return re.sub(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)\d+""", rb"\g<1>1", xmp)


def resized(xmp: bytes, width: int, height: int, before: tuple[int, int] | None) -> bytes:
    """The packet for a picture of `width` x `height`: sizes are set, other counts of pixels scaled.

    `before`: (width, height) that its numbers count in; without it, the sizes alone are set.
    """
    for namespace, usual, across, down in _SIZES:
        xmp = _with_numbers(xmp, namespace, usual, across, lambda value: width)
        xmp = _with_numbers(xmp, namespace, usual, down, lambda value: height)
    if before is not None and before != (width, height):
        old_width, old_height = before
        for namespace, usual, across, down in _COUNTS:
            xmp = _with_numbers(xmp, namespace, usual, across, lambda value: round(value * width / old_width))
            xmp = _with_numbers(xmp, namespace, usual, down, lambda value: round(value * height / old_height))
    return xmp


def _with_numbers(
    xmp: bytes, namespace: bytes, usual: bytes, names: bytes, change: Callable[[Fraction], int]
) -> bytes:
    """The packet with the numbers of some properties changed, be they attributes or elements."""
    prefixes = b"|".join(map(re.escape, sorted(_prefixes(xmp, namespace, usual))))
    start = rb"""(\b(?:%s):(?:%s)(?:\s*=\s*["']|\s*>)\s*)""" % (prefixes, names)
    pattern = re.compile(start + rb"(-?\d+(?:\.\d+)?)", re.ASCII)
    return pattern.sub(lambda found: found[1] + b"%d" % change(Fraction(found[2].decode())), xmp)


def without_companions(xmp: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The packet without what describes data appended to its file, and what these were."""
    lost = []
    for namespace, usual, names, what in _COMPANIONS:
        for prefix in _prefixes(xmp, namespace, usual):
            shorter = _without(xmp, prefix, names)
            if shorter != xmp:
                xmp = shorter
                lost.append(what)
    return xmp, tuple(dict.fromkeys(lost))


def without_gps(xmp: bytes) -> bytes:
    """The packet without the position that EXIF's GPS tags give."""
    for prefix in _prefixes(xmp, _EXIF, b"exif"):
        xmp = _without(xmp, prefix, rb"GPS\w+")
    return xmp


def _prefixes(xmp: bytes, namespace: bytes, usual: bytes) -> set[bytes]:
    """The prefixes that the packet gives a namespace, and its usual one."""
    found = re.findall(rb"""xmlns:([\w.-]+)\s*=\s*["']%s["']""" % re.escape(namespace), xmp)
    return {usual, *map(bytes, found)}


def _without(xmp: bytes, prefix: bytes, names: bytes) -> bytes:
    """The packet without some properties, be they attributes or elements with all that they hold."""
    name = rb"%s:%s" % (re.escape(prefix), names)
    xmp = re.sub(rb"""\s%s\s*=\s*(?:"[^"]*"|'[^']*')""" % name, b"", xmp)
    kept, at = [], 0
    for start in re.finditer(rb"<(%s)\b[^<>]*>" % name, xmp):
        if start.start() < at:
            continue
        end = start.end()
        if not start[0].endswith(b"/>"):
            closing = b"</%s>" % start[1]
            end = xmp.find(closing, end) + len(closing)
            if end < len(closing):
                break
        kept.append(xmp[at : start.start()])
        at = end
    return b"".join(kept) + xmp[at:]
