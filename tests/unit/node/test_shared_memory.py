"""Only what belonged to the Envoy goes."""

from pathlib import Path

from proa.core.sidecar.record import EnvoyMark, ProcessMark
from proa.node.shared_memory import forget_shared_memory

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
