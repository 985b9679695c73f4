import pytest

from enhance_cli.arch.contract import ArchSpec


@pytest.mark.parametrize(
    ("colour", "scale", "task", "expected"),
    [
        ("gray", 1, "denoise", ("gray", False)),
        ("gray", 1, "dejpeg", ("y", False)),
        ("gray", 1, "sr", ("y", True)),
        ("gray", 2, "sr", ("y", False)),
        ("rgb", 1, "dejpeg", ("rgb", False)),
    ],
)
def test_one_channel_networks_see_luma_where_the_papers_give_them_luma(colour, scale, task, expected):
    spec = ArchSpec(colour=colour, scale=scale, halo=1).for_task(task)
    assert (spec.colour, spec.pre_upsampled) == expected
