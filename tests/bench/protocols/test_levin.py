from pathlib import Path

import h5py
import numpy as np
import pytest

from enhance_cli.bench.protocols.choice import Values, settings
from enhance_cli.bench.protocols.levin import LevinBlur, centred, levin_settings
from enhance_cli.errors import UsageError

SIDES = (19, 17, 15, 27, 13, 21, 23, 23)


def kernels() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    drawn = [rng.uniform(size=(side, side)) for side in SIDES]
    return [kernel / kernel.sum() for kernel in drawn]


def save_npz(folder: Path, of: list[np.ndarray]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "levin09.npz", **{f"k{number}": kernel for number, kernel in enumerate(of)})


def save_mat(folder: Path, of: list[np.ndarray], stacked: bool = False) -> None:
    """As MATLAB does with -v7.3: axes reversed, a cell array as references."""
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "Levin09.mat", "w", userblock_size=512) as file:
        if stacked:
            file["kernels"] = np.stack([kernel.T for kernel in of])
            return
        cells = [
            file.create_dataset(f"#refs#/{name}", data=kernel.T)
            for name, kernel in zip("abcdefgh"[: len(of)], of, strict=True)
        ]
        file["kernels"] = np.array([cell.ref for cell in cells], dtype=h5py.ref_dtype).reshape(-1, 1)


@pytest.mark.parametrize("folder", ["kernels", "test/kernels"])
@pytest.mark.parametrize("save", [save_npz, save_mat])
def test_kernels_are_found_and_read(tmp_path: Path, folder: str, save):
    save(tmp_path / folder, kernels())
    found = levin_settings(tmp_path)
    assert [setting.name for setting in found] == [f"levin {number}" for number in range(1, 9)]
    for setting, kernel in zip(found, kernels(), strict=True):
        assert np.array_equal(setting.kernel, kernel)
    assert len(set(found)) == 8


def test_a_stack_is_read_as_cells_are(tmp_path: Path):
    square = [kernels()[0] + number * np.diag(np.linspace(-1e-6, 1e-6, 19)) for number in range(8)]
    save_mat(tmp_path / "kernels", square, stacked=True)
    for setting, kernel in zip(levin_settings(tmp_path), square, strict=True):
        assert np.array_equal(setting.kernel, kernel)


def test_the_file_wanted_is_named_where_it_is_missing(tmp_path: Path):
    with pytest.raises(UsageError, match=r"put levin09\.npz or Levin09\.mat into .*kernels"):
        levin_settings(tmp_path)


def test_the_choice_needs_to_know_where(tmp_path: Path):
    with pytest.raises(UsageError, match="--data-root"):
        settings("deblur", Values(protocol="levin"))
    save_npz(tmp_path / "kernels", kernels())
    chosen = settings("deblur", Values(protocol="levin", kernels=tmp_path))
    assert [setting.protocol for setting in chosen] == ["levin"] * 8


def test_files_with_something_else_are_refused(tmp_path: Path):
    folder = tmp_path / "kernels"
    spoilt = {
        "k7": kernels()[:7],
        "does not sum to 1": [*kernels()[:7], 2 * kernels()[7]],
        r"shape \(4, 4\)": [*kernels()[:7], np.full((4, 4), 1 / 16)],
        r"shape \(3, 5\)": [*kernels()[:7], np.full((3, 5), 1 / 15)],
        r"sum to 1": [*kernels()[:7], np.full((3, 3), np.nan)],
    }
    for reason, of in spoilt.items():
        save_npz(folder, of)
        with pytest.raises(UsageError, match=f"cannot be read as Levin's kernels.*{reason}"):
            levin_settings(tmp_path)
    (folder / "levin09.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(UsageError, match="cannot be read"):
        levin_settings(tmp_path)
    (folder / "levin09.npz").unlink()
    for damaged in (b"MATLAB 5.0 MAT-file", b""):
        (folder / "Levin09.mat").write_bytes(damaged)
        with pytest.raises(UsageError, match=r"saved with -v7\.3"):
            levin_settings(tmp_path)
    save_mat(folder, kernels()[:7])
    with pytest.raises(UsageError, match="7 kernels in place of 8"):
        levin_settings(tmp_path)


def test_pictures_are_convolved_with_mirrored_edges():
    kernel = kernels()[4]
    x = np.random.default_rng(1).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    case = LevinBlur(5, tuple(map(tuple, kernel.tolist()))).degrade(x, seed=3)
    padded = np.pad(x.astype(np.float64), ((6, 6), (6, 6), (0, 0)), mode="symmetric")
    expected = sum(
        kernel[dy, dx] * padded[12 - dy : 32 - dy, 12 - dx : 36 - dx] for dy in range(13) for dx in range(13)
    )
    assert np.abs(case.given - expected).max() <= 0.5 + 1e-3
    assert np.array_equal(case.baseline, case.given)
    assert np.array_equal(case.reference, x)


def test_the_seed_changes_nothing():
    setting = LevinBlur(1, tuple(map(tuple, kernels()[0].tolist())))
    x = np.random.default_rng(2).integers(0, 256, (30, 30, 1), dtype=np.uint8)
    assert np.array_equal(setting.degrade(x, 1).given, setting.degrade(x, 2).given)


def test_the_shared_kernels_are_levins(shared: Path):
    found = levin_settings(shared / "data")
    # Those that move the picture have been given a margin to be moved back in.
    margins = [len(setting.kernel) - side for setting, side in zip(found, SIDES, strict=True)]
    assert margins == [0, 0, 2, 4, 0, 6, 4, 4]


def test_kernels_are_centred_so_that_no_picture_moves():
    kernel = np.zeros((9, 9))
    kernel[7:, 1] = 0.5
    moved = centred(kernel)
    offsets = np.arange(len(moved)) - len(moved) // 2
    assert moved.shape == (17, 17) and np.sort(moved, axis=None)[-2:].tolist() == [0.5, 0.5]
    assert abs(moved.sum(1) @ offsets) <= 0.5 and abs(moved.sum(0) @ offsets) <= 0.5
