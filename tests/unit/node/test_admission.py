"""Who decides whether a workload starts while the control plane is away."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from proa.core.auth.roots import root_digests
from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.sidecar.session import Refusal, Registration, SessionState
from proa.core.sidecar.table_file import Table, encode_table
from proa.home import write_private
from proa.node import admission
from proa.node.admission import Admission, NotAdmitted, admit
from proa.node.session import Session
from proa.node.table_store import FILE, TableStore
from proa.node.trust import TrustReport
from proa.node.uplink import Uplink
from proa.runtime.cell import Cell
from tests.mesh.tiny_control_plane import TinyCa

WEB = Registration(id=WorkloadId("default", "web"), node="here", account="web", address="127.0.0.1")
CREDENTIAL = TinyCa().node_credential("here", ("127.0.0.1:1",))
ROOTS = CREDENTIAL.roots_pem
TABLE = Table(
    facts=WEB,
    roots=root_digests(ROOTS),
    resources=(Resource(type=ResourceType.CLUSTER, name="c", body=b"body", digest="1"),),
)


def ask(
    directory: Path, said: list[str], answer: SessionState | None, facts: Registration = WEB
) -> Admission:
    async def scene() -> Admission:
        session = Session(Uplink(Cell(CREDENTIAL), ()), Cell(()), Cell(TrustReport()))
        session.answer.set(answer)
        store = TableStore(directory)
        return await admit(facts, session, store, ROOTS, lambda stage, text: said.append(f"{stage}: {text}"))

    return asyncio.run(scene())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "AWAY_S", 0.01)


def test_what_was_accepted_before_starts_and_its_user_is_told(tmp_path: Path) -> None:
    write_private(tmp_path / FILE, encode_table(TABLE))
    said: list[str] = []
    assert ask(tmp_path, said, None) == Admission(known=TABLE, is_provisional=True)
    (line,) = said
    assert line.startswith("provisional: the control plane is away (not connected yet); starting default/web")


def test_other_facts_wait_for_the_control_plane(tmp_path: Path) -> None:
    write_private(tmp_path / FILE, encode_table(TABLE))
    other = msgspec.structs.replace(WEB, account="root")

    async def scene() -> None:
        session = Session(Uplink(Cell(CREDENTIAL), ()), Cell(()), Cell(TrustReport()))
        async with asyncio.timeout(0.2):
            await admit(other, session, TableStore(tmp_path), ROOTS, lambda stage, text: None)

    with pytest.raises(TimeoutError):
        asyncio.run(scene())
    accepted = SessionState(version=0, accepted=(other.id,))
    assert ask(tmp_path, [], accepted, other) == Admission(known=None)


def test_an_accepted_workload_starts_with_its_table(tmp_path: Path) -> None:
    write_private(tmp_path / FILE, encode_table(TABLE))
    said: list[str] = []
    assert ask(tmp_path, said, SessionState(version=0, accepted=(WEB.id,))) == Admission(known=TABLE)
    assert said == []


def test_a_refusal_takes_the_table_away(tmp_path: Path) -> None:
    write_private(tmp_path / FILE, encode_table(TABLE))
    refused = SessionState(version=0, refused=(Refusal(id=WEB.id, reason="no grant"),))
    with pytest.raises(NotAdmitted, match="no grant"):
        ask(tmp_path, [], refused)
    assert list(tmp_path.iterdir()) == []
