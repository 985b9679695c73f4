"""Restores Bayer mosaics: brought into the pattern that networks know, and cut back afterwards."""

from __future__ import annotations

from dataclasses import replace

from enhance_cli.engine.restorer import Restored, Restorer
from enhance_cli.engine.runner import OnTile
from enhance_cli.imaging.mosaic import aligned
from enhance_cli.imaging.picture import Picture


def restore_mosaic(restorer: Restorer, picture: Picture, on_tile: OnTile | None = None) -> Restored:
    """Full colour from an RGB mosaic with zeros, of the same size and metadata."""
    pixels, rows, columns = aligned(picture.pixels)
    # Alpha would have the engine fill what is transparent, across the mosaic.
    restored = restorer.restore(replace(picture, pixels=pixels, alpha=None), on_tile=on_tile)
    return replace(restored, picture=replace(picture, pixels=restored.picture.pixels[rows, columns]))
