from pathlib import Path

import pytest

from proa.servers.admin.history import BackupRequest
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve


def test_the_control_plane_gets_an_absolute_path(
    proa: Proa, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    operations = FixedOperations(version=7)
    with serve(operations):
        result = proa("backup", "copy.db")

    assert operations.asked == [BackupRequest(file=str(tmp_path / "copy.db"))]
    assert result.stdout == f"version 7 is in {tmp_path}/copy.db (4096 bytes)\n"


def test_a_refusal_is_a_sentence(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations()):
        result = proa("backup", "/taken")

    assert result.exit_code == 1
    assert "is no backup of a store" in result.stderr
