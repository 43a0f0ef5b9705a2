"""What an Envoy that can be hot-restarted leaves in shared memory when it ends: a hundred bytes, for ever."""

from pathlib import Path

from proa.core.sidecar.record import EnvoyMark

FOLDER = Path("/dev/shm")


def forget_shared_memory(mark: EnvoyMark | None, folder: Path = FOLDER) -> None:
    """Called when the Envoy of that mark, and every successor of its base id, has ended."""
    if mark is not None and mark.base_id is not None:
        (folder / f"envoy_shared_memory_{mark.base_id}0").unlink(missing_ok=True)
