"""Test sets: where they lie, what they are called and what they are measured for."""

from enhance_cli.bench.datasets.contract import Dataset
from enhance_cli.bench.datasets.find import (
    ENVIRONMENT,
    at,
    builtin,
    choose,
    data_root,
    found_in,
    needs_root,
    usual_root,
)
from enhance_cli.bench.datasets.known import BUILTIN, KNOWN, Known, Source, canonical
from enhance_cli.bench.datasets.listing import HEAD, Listed, listing
from enhance_cli.bench.datasets.pairs import pairs

__all__ = [
    "BUILTIN",
    "ENVIRONMENT",
    "HEAD",
    "KNOWN",
    "Dataset",
    "Known",
    "Listed",
    "Source",
    "at",
    "builtin",
    "canonical",
    "choose",
    "data_root",
    "found_in",
    "listing",
    "needs_root",
    "pairs",
    "usual_root",
]
