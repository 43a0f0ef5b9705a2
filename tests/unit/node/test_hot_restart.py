"""Which Envoys can hand over to which."""

import asyncio
import os
from pathlib import Path

import pytest

from proa.core.sidecar.record import EnvoyMark, ProcessMark
from proa.node.hot_restart import hot_restart_version, why_not_hot

SELF = ProcessMark(pid=os.getpid(), started=1)


def binary(folder: Path, script: str) -> Path:
    path = folder / "envoy"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo 11.104", "11.104"),
        ("echo 11.104 >&2", "11.104"),
        ("echo a warning >&2; echo 11.104", "11.104"),
        ("echo hello", ""),
        ("echo 11.104; exit 1", ""),
        ("true", ""),
    ],
)
def test_a_binary_is_asked(tmp_path: Path, script: str, version: str) -> None:
    assert hot_restart_version(binary(tmp_path, script)) == version


def test_there_may_be_no_binary(tmp_path: Path) -> None:
    assert hot_restart_version(tmp_path / "nothing") == ""


@pytest.mark.parametrize(
    ("mark", "script", "why"),
    [
        (None, "echo 11.104", "no Envoy runs"),
        (EnvoyMark(process=SELF), "echo 11.104", "base id"),
        (EnvoyMark(process=SELF, base_id=7), "exit 1", "envoy does not say"),
        (
            EnvoyMark(process=SELF, base_id=7),
            "echo 11.104",
            "the Envoy that runs does not say",
        ),  # it is Python
    ],
)
def test_why_it_cannot_be_hot(tmp_path: Path, mark: EnvoyMark | None, script: str, why: str) -> None:
    told = asyncio.run(why_not_hot(mark, str(binary(tmp_path, script))))
    assert told is not None
    assert why in told
