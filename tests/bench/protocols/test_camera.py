import numpy as np
import pytest

from enhance_cli.bench.protocols.choice import Values, settings
from enhance_cli.metrics.psnr import psnr

CLEAN = np.random.default_rng(0).integers(40, 200, (48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(("task", "protocol"), [("deblur", "shake"), ("denoise", "camera-noise")])
def test_damage_is_a_function_of_picture_and_seed(task, protocol):
    (setting,) = settings(task, Values(protocol=protocol))
    one, same, other = (setting.degrade(CLEAN, seed) for seed in (3, 3, 4))
    assert (one.given == same.given).all() and (one.given != other.given).any()
    assert one.given.dtype == np.uint8 and one.given.shape == CLEAN.shape
    assert (one.reference == CLEAN).all() and (one.baseline == one.given).all()
    assert 10 < psnr(one.given, CLEAN) < 45


def test_networks_are_not_told_how_much_noise_there_is():
    (setting,) = settings("denoise", Values(protocol="camera-noise"))
    assert setting.unasked and setting.condition is None
