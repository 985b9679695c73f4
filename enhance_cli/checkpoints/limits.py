"""How much a checkpoint may ask for before it is refused, and how words out of one are shown."""

from __future__ import annotations

from enhance_cli.errors import ModelError

MAX_PICKLE = 4 << 20
"""Bytes of one pickle. Storages lie outside of it: RCAN with 1632 tensors, the most known, needs 0.2 MB, and
with its optimizer 0.7. Hostile ones take about 100 times as much memory, and a second for each MB."""
MAX_ELEMENTS = 1 << 27
"""Numbers in all tensors together, if the file is not itself that long: three times the largest network known
(EDSR, 43 million), 0.5 GB in float32. It stops views of stride 0, sparse datasets and compressed zeros."""
MAX_ENTRIES = 1 << 16
"""Tensors; in pickled networks modules too. RCAN has 1632 tensors."""
MAX_KEY = 512
"""Characters of a weight's name. Longer ones come from modules that contain themselves."""
MAX_DIMS = 8
"""Axes of a tensor."""
SHOWN = 80
"""Characters of a foreign word that a message repeats."""


def shown(text: object) -> str:
    """A word out of the file, or an error about it, in one short line of printable ASCII."""
    whole = str(text)
    start = whole[: 4 * SHOWN]  # the rest may be megabytes
    line = " ".join(start.split()).encode("ascii", "backslashreplace").decode("ascii")
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= SHOWN and start == whole else line[: SHOWN - 3] + "..."


def check_entries(n_entries: int) -> None:
    """ModelError if there are more tensors, or places where some could be, than there may be."""
    if n_entries > MAX_ENTRIES:
        raise ModelError(
            f"has over {MAX_ENTRIES} entries, more than any network here; it is damaged or hostile"
        )


def check_elements(n_elements: int, file_size: int) -> None:
    """ModelError if the file declares more numbers, all tensors together, than it may."""
    if n_elements > max(MAX_ELEMENTS, file_size):
        raise ModelError(
            f"declares over {MAX_ELEMENTS} weights in {file_size} bytes, which no network here has; "
            "it is damaged or hostile"
        )
