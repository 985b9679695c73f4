"""What a file may cost before it is refused: a small file can claim any size.

Every reader checks these before it allocates or loops; each message names the limit and the way to raise it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from enhance_cli.errors import ReadError, UsageError

DECODED_BYTES = 24
"""Of one pixel while it is decoded; 10 (PNG, 8 bits) to 23 (WebP with alpha) measured."""
DEFAULT_MAX_PIXELS = 89_478_485
"""Pixels of one picture (the number at which Pillow begins to warn)."""


@dataclass(frozen=True)
class Limits:
    """The largest cost of one input file; a field's name is what `--limit NAME=N` calls it."""

    pixels: int = DEFAULT_MAX_PIXELS
    """Width times height of each frame."""
    file_bytes: int = 1 << 30
    """Length of the file, looked up before it is read."""
    frames: int = 10_000
    """Frames of an animation, or pages of a TIFF."""
    scans: int = 50
    """Scans of a progressive JPEG; each one costs a pass over the whole picture. Encoders write about ten."""
    blocks: int = 500_000
    """Chunks of a PNG, segments of a JPEG, boxes of an AVIF, tags of all pages of a TIFF."""
    header_bytes: int = 1 << 16
    """Header of a PNM file, comments included."""
    profile_bytes: int = 16 << 20
    """ICC profile, EXIF or XMP, inflated; a larger one is dropped with a warning."""
    memory: int | None = None
    """Bytes that one picture may take while it is decoded: a share of `--memory`, no matter of `--limit`."""
    pixel_bytes: int = DECODED_BYTES
    """Of one pixel while it is decoded, for `memory`; some formats take less."""
    text_bytes: int = 1 << 20
    """Text of a PNG chunk, inflated (Pillow opens no PNG with more); what is longer is dropped, and said."""

    def check(self, name: str, value: int, what: str) -> None:
        """ReadError if `value` is more than the limit called `name`; `what` begins the message."""
        limit = getattr(self, name)
        if limit is not None and value > limit:
            more = "" if str(limit) in what else f", more than the limit of {limit}"
            raise ReadError(f"{what}{more}; {how_to_raise(name)}")

    def raised(self, texts: list[str]) -> Limits:
        """These limits with some replaced, each given as "name=number". Raises UsageError for all else."""
        names = [field.name for field in fields(self) if field.name not in ("memory", "pixel_bytes")]
        changes = {}
        for text in texts:
            name, _, number = text.partition("=")
            if name not in names or not number.isdecimal() or int(number) < 1:
                raise UsageError(f"--limit {text!r}: give NAME=NUMBER with one of {', '.join(names)}")
            changes[name] = int(number)
        return replace(self, **changes)


def how_to_raise(name: str) -> str:
    """The end of a message about the limit called `name`."""
    flag = {"pixels": "--max-pixels", "memory": "--memory"}.get(name, f"--limit {name}=N")
    return f"raise it with {flag}"
