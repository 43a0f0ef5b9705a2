"""The control planes of one mesh among each other: who is there, who leads, and what each tells the others.

Leading is for work that must have one author at a time. It is a lease: a leader that cannot reach the store stops
being one before another can become it. Being present is a lease of the same kind.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

PRESENCE_S = 6
"""How long a control plane that said nothing more counts as present, and as the leader."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One control plane. `name` is of this life of it: started again it has another. `xds` and `join` are `host:port`;
    `said` is its last word to the others (empty: none yet)."""

    name: str
    xds: str
    join: str
    version: str = ""
    said: bytes = b""


class Members(msgspec.Struct, frozen=True, kw_only=True):
    """`present` by name, ourselves among them. `servers` are the xDS addresses of all that there are or were lately:
    where an agent may find a control plane. `leader` is a name, "" while there is none."""

    present: tuple[Member, ...] = ()
    servers: tuple[str, ...] = ()
    leader: str = ""


class Membership(Protocol):
    """Made for one member. While the store is away its methods go on to answer what was known last; `leads` alone
    turns false in time."""

    @property
    def name(self) -> str: ...

    @property
    def leads(self) -> bool:
        """Whether this member leads now. Ask again before each step of a work that takes long."""

    def say(self, word: bytes) -> None:
        """Tells the others soon; a word that was not sent yet is replaced."""

    async def run(self) -> None:
        """Keeps the presence and stands for election until cancelled; then leaves, so that nobody waits for us."""

    def watch(self) -> AsyncGenerator[Members]:
        """Level-triggered, as all watches here."""


class Alone:
    """The only control plane of its mesh: it leads, and there is nobody to talk to."""

    name = ""
    leads = True

    def say(self, word: bytes) -> None:
        pass
