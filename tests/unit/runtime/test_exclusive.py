"""One holder at a time, however the last one ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from proa.runtime.exclusive import Occupied, exclusive

HOLDER = (
    "import sys, pathlib, signal\n"
    "from proa.runtime.exclusive import exclusive\n"
    "with exclusive(pathlib.Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    signal.pause()\n"
)


def test_a_second_one_hears_who_has_it(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock"), pytest.raises(Occupied) as refused, exclusive(tmp_path / "lock"):
        pass
    assert refused.value.pid == os.getpid()
    with exclusive(tmp_path / "lock"):
        pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen((sys.executable, "-c", HOLDER, str(path)), stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Occupied) as refused, exclusive(path):
            pass
        assert refused.value.pid == holder.pid
        holder.kill()
        holder.wait()
    with exclusive(path):
        pass
