"""Only what belonged to the Envoy goes."""

import struct
from pathlib import Path

import pytest

from proa.core.sidecar.record import EnvoyMark, ProcessMark
from proa.node.shared_memory import FLAGS_AT, SIZE, forget_heir, forget_shared_memory

MARK = EnvoyMark(process=ProcessMark(pid=1, started=1), base_id=77)


def test_what_an_envoy_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    own, other = tmp_path / "envoy_shared_memory_770", tmp_path / "envoy_shared_memory_7700"
    for each in (own, other):
        each.touch()
    forget_shared_memory(None, tmp_path)
    forget_shared_memory(EnvoyMark(process=MARK.process), tmp_path)
    assert own.exists()
    forget_shared_memory(MARK, tmp_path)
    forget_shared_memory(MARK, tmp_path)
    assert not own.exists()
    assert other.exists()


def test_an_heir_that_died_early_is_forgotten(tmp_path: Path) -> None:
    memory = tmp_path / "envoy_shared_memory_770"
    before = struct.pack("=QQ", SIZE, 11) + b"l" * 80 + struct.pack("=Q", 1)
    memory.write_bytes(before)
    forget_heir(77, tmp_path)
    assert memory.read_bytes() == before[:FLAGS_AT] + bytes(8)


@pytest.mark.parametrize(
    "other", [b"", b"short", struct.pack("=Q", 112) + b"x" * 104, struct.pack("=Q", 1) + b"x" * 96]
)
def test_memory_of_another_layout_is_left_alone(tmp_path: Path, other: bytes) -> None:
    memory = tmp_path / "envoy_shared_memory_770"
    memory.write_bytes(other)
    forget_heir(77, tmp_path)
    assert memory.read_bytes() == other


def test_there_may_be_no_memory_at_all(tmp_path: Path) -> None:
    forget_heir(77, tmp_path)
    assert list(tmp_path.iterdir()) == []
