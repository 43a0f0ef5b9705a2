"""Logs that are full are put aside while their writer goes on, and the oldest go."""

from pathlib import Path

import pytest

from proa.node.log_rotation import Keeping, rotate

SMALL = Keeping(size=10, kept=2)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_full_log_is_put_aside_under_its_writers_hands(tmp_path: Path) -> None:
    path = tmp_path / "default_a.access.log"
    with path.open("ab", buffering=0) as writer:
        for line in (b"first 6789\n", b"second 789\n", b"third 6789\n", b"fourth 789\n"):
            writer.write(line[:4])
            assert rotate(tmp_path, SMALL) == ()
            writer.write(line[4:])
            assert rotate(tmp_path, SMALL) == (path,)
        writer.write(b"last")
    assert content(tmp_path) == {
        path.name: b"last",
        f"{path.name}.1": b"fourth 789\n",
        f"{path.name}.2": b"third 6789\n",
    }
    assert (tmp_path / f"{path.name}.1").stat().st_mode & 0o777 == 0o600


def test_only_envoys_logs_are_touched(tmp_path: Path) -> None:
    for name in ("serve.log", "default_a.app.log", "default_a.access.log.1", "default_a.envoy.log"):
        (tmp_path / name).write_bytes(b"0123456789")
    assert rotate(tmp_path, SMALL) == (tmp_path / "default_a.envoy.log",)
    assert content(tmp_path) == {
        "serve.log": b"0123456789",
        "default_a.app.log": b"0123456789",
        "default_a.access.log.1": b"0123456789",
        "default_a.envoy.log": b"",
        "default_a.envoy.log.1": b"0123456789",
    }


def test_a_log_that_cannot_be_copied_stays_and_its_neighbour_does_not_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.access.log", "b.access.log"):
        (tmp_path / name).write_bytes(b"0123456789")
    (tmp_path / "a.access.log.part").mkdir()
    assert rotate(tmp_path, SMALL) == (tmp_path / "b.access.log",)
    assert (tmp_path / "a.access.log").read_bytes() == b"0123456789"
    assert "a.access.log is not rotated" in caplog.text
