"""The command line in a home of its own, with or without a control plane of fixed answers behind its socket."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from proa.cli.main import cli
from proa.home import Home, find_home
from proa.servers.admin.app import serving_admin
from proa.testing.admin_operations import FixedOperations

Proa = Callable[..., Result]
Serve = Callable[[FixedOperations], AbstractContextManager[None]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("PROA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    found = find_home(tmp_path / "home", {})
    found.prepare()
    yield found
    shutil.rmtree(found.run_dir, ignore_errors=True)  # programs that ended have tidied it away


@pytest.fixture
def proa(home: Home) -> Proa:
    """proa("apply", "-f", path, input="...") -> Result with exit_code, stdout, stderr."""

    def run(*words: str | Path, input: str | None = None) -> Result:
        result = CliRunner().invoke(cli, [str(word) for word in words], input=input, prog_name="proa")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def serve(home: Home) -> Serve:
    """with serve(FixedOperations(...)): the home's admin socket answers."""

    @contextmanager
    def serving(operations: FixedOperations) -> Iterator[None]:
        ready, stop = threading.Event(), asyncio.Event()
        loops: list[asyncio.AbstractEventLoop] = []

        async def main() -> None:
            loops.append(asyncio.get_running_loop())
            async with serving_admin(operations, home.admin_socket):
                ready.set()
                await stop.wait()

        thread = threading.Thread(target=lambda: asyncio.run(main()))
        thread.start()
        assert ready.wait(60)
        try:
            yield
        finally:
            loops[0].call_soon_threadsafe(stop.set)
            thread.join()

    return serving


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Something to apply; with FixedOperations its content does not matter."""
    path = tmp_path / "routes.yaml"
    path.write_text("kind: VirtualService\nmetadata: {name: reviews}\n")
    return path
