"""Secrets on this host's disk, and what of them reaches a proxy that asks."""

import asyncio
from pathlib import Path

import pytest

from proa.core.auth.operator_secret import OperatorSecret
from proa.core.model.names import WorkloadId
from proa.core.model.secret_names import Wanted
from proa.core.pilot.resource import Resource
from proa.home import Home
from proa.node.operator_secrets import (
    NoSecret,
    OperatorSecrets,
    find_secret,
    list_secrets,
    load_secret,
    store_secret,
)
from proa.runtime.cell import Cell
from proa.runtime.races import first_of
from tests.certificates import Authority, Issued

EDGE = WorkloadId("istio-system", "ingress")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def root(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def secret_of(pair: Issued, roots: Path | None = None) -> OperatorSecret:
    return OperatorSecret(
        chain=pair.cert.read_text(), key=pair.key.read_text(), roots=roots.read_text() if roots else ""
    )


def test_what_is_kept_is_what_was_given_and_nobody_elses(home: Home, root: Authority) -> None:
    given = secret_of(root.issue("a.example"))
    path = store_secret(home, "istio-system", "a", given)
    assert load_secret(home, "istio-system", "a") == given
    assert [each.stat().st_mode & 0o777 for each in (path, path.parent, path.parent.parent)] == [
        0o600,
        0o700,
        0o700,
    ]
    (summary,) = list_secrets(home)
    assert (summary.namespace, summary.name, summary.holds, summary.fault) == (
        "istio-system",
        "a",
        ("chain", "key"),
        "",
    )
    path.chmod(0o644)
    with pytest.raises(NoSecret, match="others may read"):
        load_secret(home, "istio-system", "a")
    assert "others may read" in list_secrets(home)[0].fault


def test_what_is_not_there_or_of_no_use_is_said(home: Home, root: Authority, tmp_path: Path) -> None:
    pair = root.issue("a.example")
    store_secret(home, "istio-system", "a", secret_of(pair))
    for wanted, words in (
        (Wanted(part="certificate", credential="b"), "No such file"),
        (Wanted(part="roots", credential="a"), "no roots"),
        (Wanted(part="certificate", files=(str(pair.cert), str(pair.cert))), "key cannot be read"),
        (Wanted(part="roots", files=(str(tmp_path),)), "Is a directory"),
    ):
        with pytest.raises(NoSecret, match=words):
            find_secret(home, "istio-system", wanted)
    with pytest.raises(NoSecret):
        find_secret(home, "elsewhere", Wanted(part="certificate", credential="a"))
    home.secret_file("istio-system", "a").write_text("{")
    with pytest.raises(NoSecret, match="damaged"):
        load_secret(home, "istio-system", "a")


class Proxy:
    """Asks for secrets, and counts what it is given."""

    def __init__(self, *names: str) -> None:
        self.asked = Cell(frozenset(names))
        self.given: Cell[tuple[Resource, ...]] = Cell(())

    def set_secret(self, secret: Resource) -> None:
        self.given.set((*self.given.value, secret))


def test_a_proxy_is_given_what_it_asks_for_and_what_follows(home: Home, root: Authority) -> None:
    first, second = root.issue("a.example"), root.issue("a.example", file="b")
    proxy = Proxy("default", "ROOTCA")

    async def scene() -> None:
        proxy.asked.set(proxy.asked.value | {"credential:a", "credential-roots:a"})
        store_secret(home, "istio-system", "a", secret_of(first, root.roots))
        given = await asyncio.wait_for(proxy.given.until(lambda given: len(given) == 2), 30)
        assert {each.name for each in given} == {"credential:a", "credential-roots:a"}
        store_secret(home, "istio-system", "a", secret_of(second, root.roots))
        given = await asyncio.wait_for(proxy.given.until(lambda given: len(given) == 3), 30)
        assert given[2].name == "credential:a"
        assert given[2].digest != given[0].digest
        # What is damaged later takes nothing away.
        home.secret_file("istio-system", "a").write_text("{")
        proxy.asked.set(proxy.asked.value | {f"file-root:{root.roots}"})
        given = await asyncio.wait_for(proxy.given.until(lambda given: len(given) == 4), 30)
        assert given[3].name == f"file-root:{root.roots}"

    asyncio.run(first_of(OperatorSecrets(EDGE, home, proxy).run(), scene()))
