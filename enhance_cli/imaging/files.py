"""Reading, encoding and writing of picture files: the door of this room."""

from __future__ import annotations

from enhance_cli.imaging.decode import Frame, ReadOptions, bytes_of, first_of, read, read_frames
from enhance_cli.imaging.encode import EncodeOptions, encode, encode_bands, encode_frames
from enhance_cli.imaging.formats import (
    IMAGE_SUFFIXES,
    check_fits,
    format_of,
    holds_16_bit,
    holds_alpha,
    losses,
)
from enhance_cli.imaging.limits import DEFAULT_MAX_PIXELS, Limits
from enhance_cli.imaging.publish import atomic, remove_leftovers, write_atomic

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "IMAGE_SUFFIXES",
    "EncodeOptions",
    "Frame",
    "Limits",
    "ReadOptions",
    "atomic",
    "bytes_of",
    "check_fits",
    "encode",
    "encode_bands",
    "encode_frames",
    "first_of",
    "format_of",
    "holds_16_bit",
    "holds_alpha",
    "losses",
    "read",
    "read_frames",
    "remove_leftovers",
    "write_atomic",
]
