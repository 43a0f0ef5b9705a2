"""The other control planes of the mesh: what this one tells them about its proxies, and what they tell.

Each says, under its presence, which proxies are connected to it and how far each has come, in versions of the store,
which mean the same to all. So `apply --wait` at one tells the truth about proxies of the other, and a port's TLS mode
takes its next step when the proxies of all have taken the last one. What a control plane said ends with its presence.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from proa.control_plane.configuration import Configuration
from proa.control_plane.leases import Leases
from proa.control_plane.port_modes import PortKey
from proa.control_plane.proxies import Proxies, ProxyStream
from proa.control_plane.registrations import Registrations
from proa.control_plane.showing import show_rejection
from proa.core.auth.peer_policy import PortTls, advertised_for
from proa.core.model.names import WorkloadId
from proa.ports.membership import Member, Members, Membership
from proa.runtime.races import first_of
from proa.servers.admin.operations import Rejection

Opening = Callable[[ProxyStream], bool]
"""Whether something of a proxy opens in several rounds of which the last is not done."""

PACE_S: Final = 0.05
"""Least time between two looks at our own proxies."""
MOST_BYTES: Final = 1_000_000
"""Of one word: some ten thousand proxies. What does not fit is not said, and not claimed by anybody either."""

log = logging.getLogger("proa.control_plane.peers")


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """What one proxy would not take, and with which version it came."""

    version: int
    rejection: Rejection


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A port whose TLS mode is on its way. `has_arrived`: all proxies of the one who says it have taken it."""

    workload: WorkloadId
    port: int
    at: PortTls
    has_arrived: bool


class Word(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`version` is the newest that is in force there; `taken` the newest version that each connected proxy has in full,
    -1 for one that has said nothing yet."""

    version: int
    taken: tuple[tuple[WorkloadId, int], ...] = ()
    refused: tuple[tuple[WorkloadId, tuple[Refused, ...]], ...] = ()
    steps: tuple[Step, ...] = ()
    is_moving: bool = False
    is_cut: bool = False


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Another control plane that is there. `word` is None until it has said something that can be read."""

    name: str
    word: Word | None


def rank(port: PortTls) -> int:
    """How far a port is on its way: clients not told, told, done."""
    if port.is_settled:
        return 2
    return 1 if port.advertised == advertised_for(port.target) else 0


class OtherControlPlanes:
    """Implements `registrations.Peers`. `follow` and `speak` run as tasks."""

    def __init__(
        self,
        *,
        membership: Membership,
        registrations: Registrations,
        leases: Leases,
        configuration: Configuration,
        proxies: Proxies,
    ) -> None:
        self._membership = membership
        self._registrations = registrations
        self._leases = leases
        self._configuration = configuration
        self._proxies = proxies
        self._peers: dict[str, Peer] = {}
        self._said: dict[str, bytes] = {}
        self._members = Members()
        self.on_servers: Callable[[], object] = lambda: None
        """Called when the addresses of all are others."""

    @property
    def present(self) -> Mapping[str, Peer]:
        return MappingProxyType(self._peers)

    @property
    def members(self) -> Members:
        return self._members

    def joins(self) -> tuple[str, ...]:
        """Where nodes may join besides here."""
        return tuple(each.join for each in self._members.present if each.name != self._membership.name)

    def leader(self) -> str:
        """Words for an operator about who leads, to be added to a refusal; "" when we do, or nobody."""
        for each in self._members.present:
            if each.name == self._members.leader and each.name != self._membership.name:
                return f" (it is {each.name}, which serves xDS at {each.xds})"
        return ""

    async def stay(self) -> None:
        """Be there for the others, until cancelled."""
        await self._membership.run()

    # -- what they say --

    async def follow(self) -> None:
        """Until the store closes."""
        async for members in self._membership.watch():
            self._take(members)

    def _take(self, members: Members) -> None:
        had = self._members
        self._members = members
        others = {each.name: each for each in members.present if each.name != self._membership.name}
        for name in self._peers.keys() - others.keys():
            log.info("control plane %s is gone", name)
            del self._peers[name]
            self._said.pop(name, None)
        for name, member in others.items():
            if name not in self._peers or self._said.get(name) != member.said:
                self._said[name] = member.said
                self._peers[name] = Peer(name=name, word=_read(member))
        self._leases.set_present(others, self._registrations)
        if had.servers != members.servers:
            self._registrations.tell()
            self.on_servers()
        self._registrations.advance_modes()
        self._proxies.look_again()

    def serve(self, node: str) -> bool:
        return bool(self._leases.holder_of(node))

    def have_taken(self, key: PortKey, port: PortTls) -> bool:
        return all(_has_taken(peer.word, key, port, self._configuration.coming) for peer in self._concerned())

    def _concerned(self) -> Iterator[Peer]:
        """Those who hold nodes, or say that they serve proxies which are not connected here: one that died a moment ago
        and whose proxies are back at others is waited for by nobody."""
        holders = self._leases.holders()
        for peer in self._peers.values():
            taken = peer.word.taken if peer.word else ()
            if peer.name in holders or any(
                self._proxies.stream_of(workload) is None for workload, _ in taken
            ):
                yield peer

    def lagging(self, version: int) -> bool:
        """Whether one of the others does not have a version in force yet, or has more to do for it than to tell its
        proxies once."""
        return any(
            peer.word is None or peer.word.version < version or peer.word.is_moving or peer.word.is_cut
            for peer in self._concerned()
        )

    def progress(self, version: int) -> Iterator[tuple[WorkloadId, bool, tuple[Rejection, ...]]]:
        """The proxies that are connected to others alone: whether each has taken the version, and what it refused of it
        or of a later one."""
        for peer in self._peers.values():
            word = peer.word
            if word is None:
                continue
            refused = dict(word.refused)
            for workload, taken in word.taken:
                if self._proxies.stream_of(workload) is None:
                    problems = tuple(
                        each.rejection for each in refused.get(workload, ()) if each.version >= version
                    )
                    yield workload, taken >= version, problems

    def taken_of(self, workload: WorkloadId) -> int | None:
        """The version that a proxy connected to another has in full; None for one that is not."""
        words = (peer.word for peer in self._peers.values() if peer.word is not None)
        return max(
            (dict(word.taken)[workload] for word in words if workload in dict(word.taken)), default=None
        )

    # -- what we say --

    async def speak(self, opening: Opening) -> None:
        """Until cancelled."""
        while True:
            seen, version = self._proxies.revision, self._configuration.version
            self._membership.say(_written(self._word(opening)))
            # A version may concern no proxy at all; that it is in force here is news all the same.
            await first_of(self._proxies.changed(seen), self._configuration.generation_of(version + 1))
            await asyncio.sleep(PACE_S)

    def _word(self, opening: Opening) -> Word:
        streams = sorted(self._proxies.streams(), key=lambda stream: stream.workload)
        refusals = ((stream.workload, tuple(self._refused(stream))) for stream in streams)
        return Word(
            version=self._configuration.version,
            taken=tuple((stream.workload, self._taken(stream, opening)) for stream in streams),
            refused=tuple((workload, found) for workload, found in refusals if found),
            steps=tuple(
                Step(workload=workload, port=number, at=port, has_arrived=has_arrived)
                for (workload, number), port, has_arrived in self._registrations.modes.moving()
            ),
            is_moving=self._registrations.modes.is_moving,
        )

    def _taken(self, stream: ProxyStream, opening: Opening) -> int:
        if opening(stream) or not stream.has_taken(-1):
            return -1
        if stream.has_taken(stream.taken_through + 1):  # nothing is on its way
            return self._configuration.version
        return self._configuration.version_at(stream.taken_through)

    def _refused(self, stream: ProxyStream) -> Iterator[Refused]:
        for refusal in stream.refusals():
            yield Refused(
                version=self._configuration.version_at(refusal.generation),
                rejection=show_rejection(
                    self._configuration.conversion.blamed(refusal.objects),
                    refusal.name,
                    refusal.type.name,
                    refusal.error,
                ),
            )


def _has_taken(word: Word | None, key: PortKey, port: PortTls, version: int) -> bool:
    """A port that is not on its way there has arrived, once what sent it on its way is in force there."""
    if word is None or word.is_cut or word.version < version:
        return False
    for step in word.steps:
        if (step.workload, step.port) == key:
            if step.at.target != port.target:
                return False
            return rank(step.at) > rank(port) or (rank(step.at) == rank(port) and step.has_arrived)
    return True


def _written(word: Word) -> bytes:
    body = msgspec.json.encode(word)
    if len(body) <= MOST_BYTES:
        return body
    return msgspec.json.encode(Word(version=word.version, is_moving=word.is_moving, is_cut=True))


def _read(member: Member) -> Word | None:
    if not member.said:
        return None
    try:
        return msgspec.json.decode(member.said, type=Word)
    except msgspec.DecodeError as error:
        log.warning("what control plane %s says cannot be read: %s", member.name, error)
        return None
