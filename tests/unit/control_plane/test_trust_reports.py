import asyncio
from pathlib import Path

from proa.adapters.config_sources.sqlite import open_stores
from proa.control_plane.rotation import Report
from proa.control_plane.trust_reports import TrustReports
from proa.core.sidecar.session import NodeState, encode
from proa.ports.lease_store import Lease


def kept(state: bytes) -> bytes:
    """A lease's bytes as `control_plane.leases` writes them."""
    return b'{"is_local":true,"state":' + state + b"}"


def test_each_nodes_last_word_is_read_and_who_says_nothing_trusts_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        async with open_stores(tmp_path / "store.db") as stores:
            said = {
                "a": kept(encode(NodeState(version=3, trusts=("old", "new"), uses=("old",)))),
                "b": kept(encode(NodeState(version=1))),
                "c": b"nonsense",
            }
            for node, state in said.items():
                await stores.leases.put_lease(Lease(node=node, state=state, time=1.0))
            assert await TrustReports(stores.leases).read() == {
                "a": Report(trusts=frozenset({"old", "new"}), uses=frozenset({"old"})),
                "b": Report(),
            }

    asyncio.run(body())
