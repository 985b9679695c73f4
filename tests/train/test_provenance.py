import pytest

from enhance_cli.train import provenance


def test_no_commit_of_a_repository_around_the_installed_package(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "site-packages/enhance_cli/train/run.py"))
    monkeypatch.setattr(provenance.subprocess, "run", lambda *a, **k: pytest.fail("git was asked"))
    assert provenance.commit() == "unknown"
