import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from proa.adapters.config_sources.files import FilesSource
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind, Catalogue
from proa.core.config.mixer.parameters import Noop
from proa.ports.config_source import SourceState
from proa.ports.failures import StorePermanent
from tests.unit.adapters.config_sources.files.test_last_good import bad, rule, shown

PATIENCE = 60.0
Next = Callable[[], Awaitable[SourceState]]


def watching(directory: Path, body: Callable[[Next], Awaitable[None]]) -> None:
    async def opened() -> None:
        async with asyncio.timeout(PATIENCE), aclosing(FilesSource(directory).watch()) as states:
            await body(lambda: anext(states))

    asyncio.run(opened())


def write(path: Path, text: str | bytes) -> None:
    """As editors do: beside, then renamed, so that no look sees half a file."""
    beside = path.with_name("." + path.name)
    beside.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.replace(beside, path)


def test_the_state_comes_at_once_and_again_with_each_change(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", rule("a", "one"))

    async def body(following: Next) -> None:
        assert shown(await following()) == [("a", "one", False)]
        write(tmp_path / "a.yaml", rule("a", "two"))
        assert shown(await following()) == [("a", "two", False)]
        write(tmp_path / "a.yaml", bad("a"))
        state = await following()
        assert shown(state) == [("a", "two", True)]
        assert state.problems[0].file == str(tmp_path / "a.yaml")
        (tmp_path / "a.yaml").unlink()
        assert await following() == SourceState()

    watching(tmp_path, body)


def test_an_empty_directory_has_a_state_too(tmp_path: Path) -> None:
    async def body(following: Next) -> None:
        assert await following() == SourceState()
        (tmp_path / "below").mkdir()
        write(tmp_path / "below" / "a.yml", rule("a"))
        assert shown(await following()) == [("a", "reviews", False)]

    watching(tmp_path, body)


def test_only_configuration_is_read(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.json", ".hidden.yaml", "notes.txt", "c.yaml~"):
        (tmp_path / name).write_text("- no object\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "d.yaml").write_text("- no object\n")

    async def body(following: Next) -> None:
        state = await following()
        assert [Path(each.file).name for each in state.problems] == ["a.yaml", "b.json"]

    watching(tmp_path, body)


def test_a_file_that_is_no_text_is_a_problem_of_that_file(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", b"kind: \xff\n")
    write(tmp_path / "b.yaml", rule("b"))
    (tmp_path / "c.yaml").symlink_to(tmp_path / "b.yaml")
    (tmp_path / "d.yaml").symlink_to(tmp_path / "nowhere.yaml")

    async def body(following: Next) -> None:
        state = await following()
        assert shown(state) == [("b", "reviews", False)]
        assert [(Path(each.file).name, each.code) for each in state.problems] == [
            ("a.yaml", "unreadable"),
            ("c.yaml", "duplicate"),
        ]

    watching(tmp_path, body)


def test_a_directory_that_is_not_there_is_permanent(tmp_path: Path) -> None:
    async def body(following: Next) -> None:
        with pytest.raises(StorePermanent, match="No such file"):
            await following()

    watching(tmp_path / "missing", body)


def test_a_directory_that_goes_away_is_permanent(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()

    async def body(following: Next) -> None:
        assert await following() == SourceState()
        (tmp_path / "conf").rmdir()
        with pytest.raises(StorePermanent):
            await following()

    watching(tmp_path / "conf", body)


def test_objects_of_an_adapter_that_a_package_brought_are_read(tmp_path: Path) -> None:
    kind = AdapterKind(name="greylist", templates=("listentry",), parameters=Noop)
    write(
        tmp_path / "a.yaml", "apiVersion: config.istio.io/v1alpha2\nkind: greylist\nmetadata: {name: grey}\n"
    )

    async def first(catalogue: Catalogue) -> SourceState:
        async with asyncio.timeout(PATIENCE), aclosing(FilesSource(tmp_path, catalogue).watch()) as states:
            return await anext(states)

    state = asyncio.run(first(BUILT_IN.with_adapters([kind])))
    assert [each.config.kind for each in state.objects] == ["greylist"]
    assert asyncio.run(first(BUILT_IN)).objects == ()
