import tracemalloc

import pytest

from enhance_cli.checkpoints.limits import SHOWN, shown


@pytest.mark.parametrize("letter", ["x", " ", "é", "\n", "\x1b"])
def test_a_word_of_megabytes_costs_no_more_than_its_beginning(letter):
    word = f"begin {letter * 5_000_000}"
    tracemalloc.start()
    line = shown(word)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
    assert line.isprintable()
    assert line.isascii()
    assert line.startswith("begin")
    assert line.endswith("...")
    assert len(line) <= SHOWN


def test_short_words_are_shown_whole():
    assert shown("a\n word") == "a word"
    assert shown("x" * SHOWN) == "x" * SHOWN
