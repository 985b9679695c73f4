import pytest

from enhance_cli.batch.budget import parsed
from enhance_cli.errors import UsageError


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("2G", 2 << 30),
        ("1.5g", 3 << 29),
        ("1500M", 1500 << 20),
        ("2 GB", 2 << 30),
        ("2GiB", 2 << 30),
        ("3000000000", 3_000_000_000),
    ],
)
def test_sizes_are_read_with_and_without_a_unit(text, total):
    assert parsed(text).total == total


@pytest.mark.parametrize("text", ["", "much", "-1G", "2Q", "1e9", "nan", "2G2"])
def test_what_is_no_size_is_one_line(text):
    with pytest.raises(UsageError, match=r"--memory .* is no size; give one such as 2G"):
        parsed(text)


def test_less_than_the_program_takes_is_refused():
    with pytest.raises(UsageError, match="--memory 200M is too little"):
        parsed("200M")


def test_the_shares_are_within_the_whole():
    assert 0 < 3 * parsed("1G").share < (1 << 30)
    assert parsed("8G").share > 4 * parsed("2G").share
