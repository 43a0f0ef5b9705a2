"""The two servers of B15, each in a process of its own, on the core that is measured."""

import socket
from contextlib import closing
from typing import Final, Literal

import msgspec

from benchmarks.policy.scene import Spec
from benchmarks.workshop import Workshop, free_port, until
from proa.runtime.processes import Child

READY_S: Final = 30.0
System = Literal["ours", "naive"]
SYSTEMS: Final[tuple[System, ...]] = ("ours", "naive")


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """`label` names its process."""

    name: System
    label: str
    address: str
    child: Child


async def start_side(shop: Workshop, name: System, rules: int, uses: int = 0) -> Side:
    """Running, and listening. For `rules` and `uses` see Spec."""
    key, chain = shop.certificates.control_plane()
    address = f"127.0.0.1:{free_port()}"
    spec = Spec(
        address=address,
        key_pem=key,
        chain_pem=chain,
        root_pem=shop.certificates.root_pem,
        rules=rules,
        uses=uses,
    )
    label = f"{name}-{rules}-{uses}"
    file = shop.directory / f"{label}.json"
    file.write_bytes(msgspec.json.encode(spec))
    module = "benchmarks.policy.serve" if name == "ours" else "benchmarks.policy.naive"
    child = shop.start_python(label, module, str(file), cores=shop.cores.measured)
    port = int(address.rpartition(":")[2])

    async def listens() -> bool:
        if child.code is not None:
            raise RuntimeError(f"{label} ended: {shop.log_of(label)}")
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    await until(f"{label} listens", listens, READY_S)
    return Side(name=name, label=label, address=address, child=child)
