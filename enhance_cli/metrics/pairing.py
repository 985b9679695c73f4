"""Which file is another's clean picture, by their names."""

from __future__ import annotations

import re

_MARKS = re.compile(r"(?:[-_]?x[2348]|[-_](?:LR|HR|LRBI|SRF_[2348]))+$", re.IGNORECASE)


def bare(stem: str) -> str:
    """A path without suffix, also without what it says of its side: babyx2, img_001_SRF_4_HR."""
    return _MARKS.sub("", stem)
