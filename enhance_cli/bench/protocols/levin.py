"""Blur by the eight camera-shake kernels of Levin, Weiss, Durand and Freeman (CVPR 2009).

The kernels are not shipped. They are read from `levin09.npz` (arrays k0..k7) or from `Levin09.mat` as it goes
round: MATLAB v7.3, which is HDF5, with a cell array or a stack of equal sides named `kernels`.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.bench.protocols.contract import Case, Setting, ready
from enhance_cli.degrade.blur import blur
from enhance_cli.errors import UsageError
from enhance_cli.metrics.measure import EightBit

Rows = tuple[tuple[float, ...], ...]

N_KERNELS = 8
FOLDERS = ("kernels", "test/kernels")
"""Where under the folder of test sets the file may lie."""
FILES = ("levin09.npz", "Levin09.mat")
MOST_SIDE = 255
"""Pixels of a kernel's side; Levin's are 13 to 27."""
DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, zipfile.BadZipFile)
"""What NumPy and h5py raise for files that are not as they should be."""


@dataclass(frozen=True)
class LevinBlur(Setting):
    """Blur by one kernel, edges mirrored, rounded to 8 bits, no noise; measured on all channels."""

    task, protocol, baseline = "deblur", "levin", "blurred"
    takes_inputs, unasked = False, True
    number: int
    """1 to 8."""
    kernel: Rows = field(repr=False)
    """Of an odd side, sums to 1."""

    @property
    def name(self) -> str:
        """As the table heads it, "levin 3"."""
        return f"levin {self.number}"

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Blur; there is nothing for the seed to decide."""
        return ready(clean, blur(clean, np.array(self.kernel, np.float32)))


def levin_settings(root: Path) -> tuple[LevinBlur, ...]:
    """One setting for each kernel of the file under `root`, the folder of test sets.

    Raises UsageError if there is none, or not eight kernels in it.
    """
    places = (root / folder / name for folder in FOLDERS for name in FILES)
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        raise UsageError(
            f"no kernels for --protocol levin in {root}: put {' or '.join(FILES)} into {root / FOLDERS[0]}"
        )
    try:
        if path.suffix == ".mat":
            kernels = _from_mat(path)
        else:
            # NumPy leaves a file open that it cannot read.
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                kernels = [file[f"k{number}"] for number in range(N_KERNELS)]
        if len(kernels) != N_KERNELS:
            raise ValueError(f"{len(kernels)} kernels in place of {N_KERNELS}")
        return tuple(LevinBlur(number, _rows(centred(kernel))) for number, kernel in enumerate(kernels, 1))
    except DAMAGE as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"{path} cannot be read as Levin's kernels ({reason}); "
            "use an .npz with k0..k7 or a .mat saved with -v7.3"
        ) from error


def _from_mat(path: Path) -> list[NDArray[Any]]:
    """Axes come out of HDF5 reversed, so each kernel is turned over."""
    import h5py

    with h5py.File(path, "r") as file:
        kernels = file["kernels"]
        if kernels.size > N_KERNELS * MOST_SIDE**2:
            raise ValueError("it is too large")
        found = kernels[()]
        if h5py.check_ref_dtype(kernels.dtype) is not None:
            cells = [file[reference] for reference in found.flat]
            if any(cell.size > MOST_SIDE**2 for cell in cells):
                raise ValueError("a kernel is too large")
            found = [cell[()] for cell in cells]
        return [kernel.T for kernel in found]


def centred(kernel: NDArray[Any]) -> NDArray[Any]:
    """The kernel moved by whole pixels, with zeros around it, until its centre of mass is the middle one.

    As published some lie up to four pixels off, which moves the picture. No method that is not told the
    kernel can know where its picture ought to be.
    """
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or not abs(float(kernel.sum()) - 1) < 1e-3:
        return kernel
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    down, right = round(float(kernel.sum(1) @ offsets)), round(float(kernel.sum(0) @ offsets))
    margin = max(abs(down), abs(right))
    return np.roll(np.pad(kernel, margin), (-down, -right), axis=(0, 1))


def _rows(kernel: NDArray[Any]) -> Rows:
    """The kernel's rows; raises ValueError unless it is square, of an odd side, and sums to 1."""
    height, width = kernel.shape if kernel.ndim == 2 else (0, 0)
    if height != width or height % 2 == 0 or height > MOST_SIDE:
        raise ValueError(f"a kernel of shape {kernel.shape}")
    if kernel.dtype.kind != "f" or not abs(float(kernel.sum()) - 1) < 1e-3:
        raise ValueError("a kernel that does not sum to 1")
    return tuple(tuple(row) for row in kernel.astype(np.float64).tolist())
