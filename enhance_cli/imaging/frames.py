"""Animations and pages, written to a file of the same kind that they were read from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from itertools import chain

from enhance_cli.errors import WriteError
from enhance_cli.imaging import heif, pnm
from enhance_cli.imaging.decode import Frame
from enhance_cli.imaging.encode import EncodeOptions, arguments, as_image, samples
from enhance_cli.imaging.formats import FORMATS, check_fits, keeps_gray, kept_metadata
from enhance_cli.imaging.limits import DEFAULT_MAX_PIXELS
from enhance_cli.imaging.picture import Metadata, Pixels
from enhance_cli.imaging.png import apng_pieces
from enhance_cli.imaging.tiff import tiff_pages

MAX_HELD_PIXELS = 4 * DEFAULT_MAX_PIXELS
"""Pixels of all frames of an animation that is written at once (WebP, GIF, AVIF)."""


def encode_frames(
    frames: Iterable[Frame], format: str, *, options: EncodeOptions | None = None
) -> Iterator[bytes]:
    """File of all `frames`, in pieces; metadata and number of repetitions are the first one's.

    Animated PNGs and the pages of a TIFF are written as they come. Frames of an animation have one size.
    Raises WriteError where the format holds one picture only, as `encode` does, or if there is no frame.
    """
    options = options or EncodeOptions()
    if not FORMATS[format].frames and format != "PPM":
        raise WriteError(
            f"{FORMATS[format].title} holds one picture: write TIFF for pages, WebP for animations"
        )
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise WriteError("there is no frame to write")
    picture = first.picture
    check_fits(format, picture.width, picture.height, alpha=picture.alpha is not None)
    metadata = kept_metadata(picture, format)
    every = chain([first], frames)
    if format == "TIFF":
        return tiff_pages((samples(frame.picture, format) for frame in every), metadata)
    if format == "PPM":
        return chain.from_iterable(
            pnm.pieces([samples(frame.picture, format)], frame.picture.height) for frame in every
        )
    if format == "PNG":
        shape = samples(picture, format).shape
        pixels = ((_alike(samples(frame.picture, format), shape), frame.milliseconds or 0) for frame in every)
        return apng_pieces(pixels, first.count, first.loops, metadata, options.png_level)
    return iter([_animation(_held(every, format), format, metadata, options)])


def _held(frames: Iterable[Frame], format: str) -> list[Frame]:
    """All frames; WriteError where they would take too much memory."""
    held, n_pixels = [], 0
    for frame in frames:
        n_pixels += frame.picture.width * frame.picture.height
        if n_pixels > MAX_HELD_PIXELS:
            raise WriteError(
                f"the frames of a {FORMATS[format].title} have to be in memory at once, these make more than "
                f"{MAX_HELD_PIXELS} pixels: write PNG, which takes them one by one"
            )
        held.append(frame)
    return held


def _alike(pixels: Pixels, shape: tuple[int, ...]) -> Pixels:
    if pixels.shape != shape:
        raise WriteError("the frames differ in size, colour or transparency: write WebP")
    return pixels


def _animation(frames: list[Frame], format: str, metadata: Metadata, options: EncodeOptions) -> bytes:
    """WebP, GIF or AVIF, which Pillow writes when all frames are there."""
    images = [as_image(samples(frame.picture, format)) for frame in frames]
    gray = all(keeps_gray(frame.picture, format) for frame in frames)
    clear = any(frame.picture.alpha is not None for frame in frames)
    mode = "RGBA" if clear else "L" if gray else "RGB"
    images = [image if image.mode == mode else image.convert(mode) for image in images]
    durations = [round(frame.milliseconds or 0) for frame in frames]
    if format == "AVIF":
        carried = arguments(format, metadata, options)
        return heif.avif_bytes(images, options.avif_quality, carried, duration=durations)
    buffer = io.BytesIO()
    how = arguments(format, metadata, options) | {"duration": durations} | _repeated(format, frames[0].loops)
    images[0].save(buffer, format, save_all=True, append_images=images[1:], **how)
    return buffer.getvalue()


def _repeated(format: str, loops: int) -> dict[str, int]:
    """A GIF counts repetitions after the first showing, and says nothing for none."""
    if format == "GIF":
        return {} if loops == 1 else {"loop": max(0, loops - 1), "disposal": 2}
    return {"loop": loops}
