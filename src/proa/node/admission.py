"""Whether a workload may start: the control plane decides, and while it is away what it last decided holds.

Called by the workload before it asks for a certificate. Nothing is decided here that the control plane has not
decided before: a table on disk is there only when it accepted this very registration and has not refused it since.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from proa.core.auth.roots import root_digests
from proa.core.sidecar.session import Registration
from proa.core.sidecar.table_file import Table
from proa.node.session import Session
from proa.node.table_store import TableStore

AWAY_S: Final = 2.0
"""So long a workload that is known from disk waits for the control plane's word. A cold connection on a busy machine
takes half a second; a user who starts ten programs after a power cut should not wait for each."""


class NotAdmitted(Exception):
    """The control plane will not have the workload; the text says why."""


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """`known` is the table of an earlier run with the same facts. `is_provisional`: the control plane has said
    nothing yet."""

    known: Table | None
    is_provisional: bool = False


async def readmit(registration: Registration, store: TableStore, trusted_roots: str) -> Admission:
    """Of a workload that runs already, started by an earlier agent: it was admitted then."""
    loaded = await store.load()
    is_known = loaded is not None and loaded.is_of(registration, root_digests(trusted_roots))
    return Admission(known=loaded if is_known else None)


async def admit(
    registration: Registration,
    session: Session,
    store: TableStore,
    trusted_roots: str,
    say: Callable[[str, str], None],
) -> Admission:
    """Returns when the workload may start. Raises NotAdmitted. Without a table of use it waits as long as it takes."""
    loaded = await store.load()
    known = loaded if loaded is not None and loaded.is_of(registration, root_digests(trusted_roots)) else None
    try:
        async with asyncio.timeout(None if known is None else AWAY_S):
            refusal = await session.refusal(registration.id)
    except TimeoutError:
        trouble = session.trouble.value or "it does not answer"
        say(
            "provisional",
            f"the control plane is away ({trouble}); starting {registration.id} with what it last accepted and "
            "the configuration from disk; it is registered when the control plane is back",
        )
        return Admission(known=known, is_provisional=True)
    if refusal is not None:
        await store.forget()
        raise NotAdmitted(refusal)
    return Admission(known=known)
