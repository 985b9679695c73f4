"""What the process asks of the system's memory."""

import os
import platform
import subprocess
import sys

import pytest

from enhance_cli.cli import main
from enhance_cli.process import prepare

FAULTS = """
import resource
import numpy as np
{first}
for _ in range(100):
    # As layers do: the maps of one are taken, those of the one before are freed.
    maps = [np.ones(1 << 20, np.uint8) for _ in range(8)]
    del maps
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


TUNING = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def faults(first: str, **environment: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(first=first)],
        env={**{name: value for name, value in os.environ.items() if name not in TUNING}, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_taken_again_unless_the_user_tunes_it():
    keep = "from enhance_cli.process import prepare; prepare()"
    kept = faults(keep)
    assert kept < faults("") / 2
    assert kept < faults(keep, GLIBC_TUNABLES="glibc.malloc.mmap_threshold=65536") / 2
    assert kept < faults(keep, MALLOC_MMAP_THRESHOLD_="65536") / 2
    assert kept < faults(keep, MALLOC_TRIM_THRESHOLD_="65536") / 2


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"THP_MEM_ALLOC_ENABLE": "0"}, "0")])
def test_huge_pages_are_asked_for_unless_the_user_says_otherwise(monkeypatch, given, expected):
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(main, "app", lambda prog_name: None)
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("the process of the tests is left as it is"))
    monkeypatch.setenv("GLIBC_TUNABLES", "")
    main.main()
    assert os.environ.pop("THP_MEM_ALLOC_ENABLE") == expected


@pytest.mark.parametrize("error", [OSError("no such library"), AttributeError("mallopt")])
def test_another_c_library_is_left_alone(monkeypatch, error):
    def refuse(name):
        raise error

    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "1")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", refuse)
    prepare()
