import numpy as np
import pytest
import torch

from enhance_cli.engine.transfer import fetch, send

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_what_is_sent_comes_back(device, dtype):
    x = np.arange(24).reshape(2, 3, 4).astype(dtype)
    sent = send(x, torch.device(device))
    assert sent.device.type == device
    np.testing.assert_array_equal(fetch(sent.permute(2, 0, 1)[1:]), x.transpose(2, 0, 1)[1:])
