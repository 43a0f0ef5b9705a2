"""The pages of `docs/tasks` on the bookstore: every file, every command, and what it is said to print."""

import os
import shutil
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from proa.core.auth.roots import signing_root
from proa.demo.bookstore import PROGRAMS, config_path
from proa.demo.run import OPENING_FILES
from tests.mesh.bookstore import page_url, start_gateway, start_programs
from tests.mesh.harness import Mesh, why_no_envoy
from tests.mesh.rotations import credential
from tests.mesh.walkthrough import Section, is_as_told, read_page, walk
from tests.mesh.warm_cli import warm_cli

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(240)]

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = {name: (ROOT / f"docs/tasks/{name}.md").read_text() for name in ("security", "policies")}
LEAF_TTL: Final = "20s"
"""Steps of a rotation last a tenth of it, and a day's leafs would make them minutes."""
DEMO_PAGE: Final = "http://127.0.0.1:20080/productpage"
ISSUER_PORT: Final = "8765"
SECTIONS: Final = [(page, each.title) for page, text in PAGES.items() for each in read_page(text)[1:]]
MIGRATION: Final = "Move to mutual TLS"
PLUG_IN: Final = "A CA of your own"


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    for command in ("bash", "curl", "openssl"):
        if shutil.which(command) is None:
            pytest.skip(f"needs the command {command}")
    with Mesh("up", f"--leaf-ttl={LEAF_TTL}") as mesh:
        start_programs(mesh)
        start_gateway(mesh)
        mesh.until_healthy(*mesh.workloads)
        mesh.apply(*(config_path(file) for file in OPENING_FILES))
        yield mesh


def section(page: str, title: str, mesh: Mesh) -> tuple[Section, Section]:
    """What comes before every section, and this one, for this mesh: with its page, and a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    assert DEMO_PAGE in PAGES[page]
    text = PAGES[page].replace(DEMO_PAGE, page_url(mesh)).replace(ISSUER_PORT, port)
    before, *others = read_page(text)
    return before, next(each for each in others if each.title == title)


@pytest.fixture(scope="module")
def env(mesh: Mesh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """That of the line which the demo prints, for this interpreter."""
    with warm_cli(tmp_path_factory.mktemp("warm"), mesh.env) as proa:
        path = f"{proa.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        yield {**mesh.env, "PATH": path, "PROA_HOME": str(mesh.home.path), "LC_ALL": "C"}


@contextmanager
def visited(url: str) -> Iterator[list[str]]:
    """One visitor after the other meanwhile, each of whom has to see the whole page; those who did not, and why."""
    failures: list[str] = []
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    done = threading.Event()
    seen = 0

    def visit() -> None:
        nonlocal seen
        while not done.is_set():
            try:
                with opener.open(url, timeout=20) as answer:
                    text = answer.read().decode()
            except OSError as error:
                failures.append(repr(error))
                continue
            seen += 1
            if "unavailable" in text:
                failures.append(text[-400:])

    visitor = threading.Thread(target=visit, name="visitor", daemon=True)
    visitor.start()
    try:
        yield failures
    finally:
        done.set()
        visitor.join()
    assert seen


@pytest.mark.parametrize(("page", "title"), SECTIONS)
def test_a_task_shows_what_its_page_says(
    mesh: Mesh, env: dict[str, str], tmp_path: Path, page: str, title: str
) -> None:
    """Nobody inside notices a migration, nor another CA."""
    before, task = section(page, title, mesh)
    (tmp_path / "src").symlink_to(ROOT / "src")
    objects = mesh.objects()
    if title in (MIGRATION, PLUG_IN):
        with visited(page_url(mesh)) as failures:
            walk(before, task, tmp_path, env, 200)
        assert not failures, failures[:3]
    else:
        walk(before, task, tmp_path, env, 100)
    assert mesh.objects() == objects, "a section leaves the bookstore as it was"
    if title == PLUG_IN:
        root = (tmp_path / "root-cert.pem").read_text()
        for program in PROGRAMS:
            shown = credential(mesh, program.id.name)
            assert signing_root(shown.chain_pem, root), f"{program.id} is under the root that was brought"


def test_the_pages_have_the_tasks_of_2018() -> None:
    assert [title for page, title in SECTIONS if page == "security"] == [
        *("Mutual TLS", MIGRATION, "Roles", "End users", PLUG_IN)
    ]
    assert [title for page, title in SECTIONS if page == "policies"] == ["Limits", "Denials", "Lists"]
    assert all(len(each.commands) > 3 for text in PAGES.values() for each in read_page(text)[1:])


def test_what_is_printed_is_compared() -> None:
    assert is_as_told(("a ... c",), "a b c\n")
    assert is_as_told(("a", "...", "c"), "a\nb\nb\n\nc\n")
    assert is_as_told(("a", "...", "c"), "live on 1 of 7 proxies; waiting for x\na\nc\n")
    assert not is_as_told(("a",), "a\nb\n")
    assert not is_as_told((), "error: no\n")
    assert not is_as_told(("a ... c",), "a b\nc\n")
