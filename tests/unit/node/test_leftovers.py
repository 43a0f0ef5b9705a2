"""What is taken away of workloads that are gone."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proa.core.model.names import WorkloadId
from proa.home import Home
from proa.node.leftovers import sweep_leftovers


@pytest.fixture
def home() -> Iterator[Home]:
    """Short paths: sockets have room for some hundred characters."""
    with tempfile.TemporaryDirectory(prefix="pl-", dir="/tmp") as top:
        made = Home(Path(top) / "h", runtime_dir=top)
        made.prepare()
        yield made


def leave(home: Home, name: str) -> list[Path]:
    """What a run of its Envoy leaves; and what it needs to start again, which is not in the answer."""
    directory = home.workload_dir(name)
    directory.mkdir(parents=True)
    left = [directory / "bootstrap.json", directory / "bootstrap.json.base-id"]
    for path in (*left, directory / "table"):
        path.write_text("x")
    for kind in ("admin", "xds"):
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(home.workload_socket(name, kind)))
        left.append(home.workload_socket(name, kind))
    return left


def test_only_what_is_nobodys_goes(home: Home) -> None:
    mine, gone = leave(home, "default/mine"), leave(home, "default/gone")
    assert set(sweep_leftovers(home, [WorkloadId("default", "mine")])) == set(gone)
    assert all(path.exists() for path in mine)
    assert not any(path.exists() for path in gone)
    assert (home.workload_dir("default/gone") / "table").exists()
    assert sweep_leftovers(home, [WorkloadId("default", "mine")]) == ()


def test_other_sockets_are_not_touched(home: Home) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(home.admin_socket))
    (home.run_dir / "notes.xds").write_text("no socket")
    assert sweep_leftovers(home, ()) == ()
    assert home.admin_socket.exists()
