import pytest

from enhance_cli.errors import DeviceError, UsageError
from enhance_cli.train.setup import choose_compute, split


@pytest.mark.parametrize(
    ("n_pictures", "n_held_out", "held_out"),
    [(2, 1, [1]), (9, 8, list(range(8))), (23, 8, [1, 3, 5, 7, 9, 11, 13, 15]), (30, 3, [9, 19, 29])],
)
def test_held_out_pictures_are_spread_and_never_trained_on(n_pictures, n_held_out, held_out):
    kept, chosen = split(range(n_pictures), n_held_out)
    assert chosen == held_out
    assert sorted(kept + chosen) == list(range(n_pictures))


@pytest.mark.parametrize(("n_pictures", "n_held_out"), [(8, 8), (1, 8), (5, 0)])
def test_too_few_pictures_to_hold_some_out(n_pictures, n_held_out):
    with pytest.raises(UsageError, match="held_out"):
        split(range(n_pictures), n_held_out)


@pytest.mark.parametrize("device", ["cuda:99", "tpu"])
def test_device_that_is_not_there(device):
    with pytest.raises(DeviceError, match=device):
        choose_compute(device, "auto")


def test_precision_that_does_not_exist():
    with pytest.raises(UsageError, match="int8"):
        choose_compute("cpu", "int8")
