import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

from proa.core.model.names import WorkloadId
from proa.demo.bookstore import FIRST_FILES, LATER_FILES
from proa.demo.check import PROBES, CheckRow, Scale, check
from tests.unit.demo.fake_mesh import FakeMesh, fake_mesh

# The fake's productpage waits 0.4 s for reviews, twice.
SMALL = Scale(few=6, split=40, delayed_s=(2.8, 30), quick_s=30, load_before_s=0.3, load_after_s=0.3)


def _rows(kind: type[FakeMesh] = FakeMesh) -> dict[str, CheckRow]:
    """The check's rows by name, against a fake of that kind."""

    async def run() -> dict[str, CheckRow]:
        heard: list[CheckRow] = []
        async with fake_mesh(kind) as mesh:
            rows = await check(mesh, scale=SMALL, on_row=heard.append)
        assert tuple(heard) == rows
        return {row.name: row for row in rows}

    rows = asyncio.run(run())
    assert list(rows) == [name for name, _, _ in PROBES]
    return rows


def _failed(rows: dict[str, CheckRow]) -> dict[str, str]:
    return {row.name: row.seen for row in rows.values() if not row.ok}


def test_a_right_mesh_passes_with_every_file_applied() -> None:
    used: list[str] = []

    class Watched(FakeMesh):
        async def apply(self, files: Sequence[str]) -> None:
            await super().apply(files)
            used.extend(self.applied)

    rows = _rows(Watched)
    assert _failed(rows) == {}
    assert set(used) == {*FIRST_FILES, *LATER_FILES}
    assert rows["weights 50/50"].seen == "v3 50.0 %: v1 no stars 20, v3 red 20"
    assert rows["strangers at the sidecars' ports"].seen == "24 of 24 refused"
    assert "0 failed" in rows["weights 50/50 to 0/100 under load"].seen


def test_a_mesh_that_forgets_later_rules_is_found_out() -> None:
    class Deaf(FakeMesh):
        async def apply(self, files: Sequence[str]) -> None:
            await super().apply([file for file in files if file.endswith(FIRST_FILES)])

    failed = _failed(_rows(Deaf))
    assert set(failed) == {
        "end-user jason",
        "ratings 7 s late for jason",
        "ratings fail for jason",
        "weights 50/50",
        "weights 50/50 to 0/100 under load",
        "weights 0/100",
    }
    assert failed["weights 50/50"] == "v3 0.0 %: v1 no stars 40"


def test_an_apply_that_returns_too_early_is_found_out() -> None:
    class Hasty(FakeMesh):
        async def apply(self, files: Sequence[str]) -> None:
            if not files[0].endswith("reviews-v3.yaml"):
                await super().apply(files)

    assert "after: v1 no stars" in _failed(_rows(Hasty))["weights 50/50 to 0/100 under load"]


def test_what_breaks_is_told_in_its_row_and_the_rest_still_runs() -> None:
    class Broken(FakeMesh):
        async def apply(self, files: Sequence[str]) -> None:
            if files[0].endswith("reviews-v3.yaml"):
                raise RuntimeError("the control plane is gone")
            await super().apply(files)

    failed = _failed(_rows(Broken))
    assert failed == {
        "weights 50/50 to 0/100 under load": "RuntimeError: the control plane is gone",
        "weights 0/100": "RuntimeError: the control plane is gone",
    }


def test_an_open_port_is_found_out() -> None:
    class Open(FakeMesh):
        async def inbound_address(self, workload: WorkloadId) -> tuple[str, int]:
            if workload.name != "reviews-v2":
                return await super().inbound_address(workload)
            page = urlsplit(self.page_url)
            return str(page.hostname), int(page.port or 0)

    seen = _failed(_rows(Open))["strangers at the sidecars' ports"]
    assert seen.startswith("plain HTTP at reviews-v2: answered b'HTTP/1.1 200 OK")


def test_a_command_that_fails_is_told_by_its_last_line() -> None:
    class Unreachable(FakeMesh):
        async def exec(self, workload: WorkloadId, argv: Sequence[str]) -> tuple[int, str, str]:
            return 1, "", "Traceback\nURLError: no route\n"

    failed = _failed(_rows(Unreachable))
    assert failed == {"a call by name with a workload's environment": "exit code 1: URLError: no route"}
