"""What is found out about a machine, from what its system tells."""

import sys

import pytest

from enhance_cli.runtimes import machine

INTEL = "processor : 0\nmodel name : Xeon 4\nflags : fpu avx2 avx512f avx512_bf16 amx_bf16\n\nprocessor : 1\n"
ARM = "processor : 0\nFeatures : fp asimd asimdhp i8mm bf16\n"


@pytest.fixture
def cpuinfo(monkeypatch, tmp_path):
    """`cpuinfo(text)` is what Linux tells from then on."""
    for cached in (machine.processor, machine.instructions):
        cached.cache_clear()
    real = machine.Path

    def tell(text):
        file = tmp_path / "cpuinfo"
        file.write_text(text)
        monkeypatch.setattr(machine, "Path", lambda path: file if path == "/proc/cpuinfo" else real(path))
        monkeypatch.setattr(sys, "platform", "linux")

    yield tell
    for cached in (machine.processor, machine.instructions):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("text", "native"),
    [(INTEL, {"bfloat16"}), (ARM, {"bfloat16", "float16"}), ("flags : avx2\n", set()), ("", set())],
)
def test_precisions_are_those_of_the_instruction_sets(cpuinfo, text, native):
    cpuinfo(text)
    names = [name for name, sets in machine.NATIVE.items() if set(sets) & set(machine.instructions())]
    assert set(names) == native


def test_the_processor_has_a_name(cpuinfo):
    cpuinfo(INTEL)
    assert machine.processor() == "Xeon 4"
    assert "amx_bf16" in machine.instructions()


def test_threads_are_those_asked_for_else_the_environments_else_the_processors(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert (machine.cpu_threads(5), machine.cpu_threads(None)) == (5, 3)
    for wrong in ("", "0", "-1", "many", "2,2"):
        monkeypatch.setenv("OMP_NUM_THREADS", wrong)
        assert machine.cpu_threads(None) >= 1


def test_a_torch_built_for_the_cpu_needs_no_asking(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(machine, "version_of", lambda name: "2.13.0+cpu")
    assert not machine.may_have_gpu()


def test_versions_of_what_is_not_there_are_none():
    assert machine.version_of("no-such-package-at-all") is None
    assert not machine.is_installed("no_such_package_at_all")
