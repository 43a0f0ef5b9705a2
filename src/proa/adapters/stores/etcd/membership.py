"""Presence and election in etcd: keys under a lease of etcd's, which ends when its control plane does not renew it.

Who makes the key `leader` first leads; the revision at which it was made is the fence: a transaction that compares it
can only succeed while that leader's key stands. A member that could not renew its lease for a while gives up leading by
its own clock, earlier than etcd lets anybody else begin.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Final

import msgspec

from proa.adapters.stores.etcd.client import Etcd
from proa.adapters.stores.etcd.following import Bell, Bells, Mirror
from proa.adapters.stores.etcd.wire import Compare, PutKey, Range
from proa.ports.failures import StoreTemporary
from proa.ports.membership import PRESENCE_S, Member, Members

PRESENT: Final = "present/"
SAID: Final = "said/"
KNOWN: Final = "members/"
LEADER: Final = "leader"
RENEW_S: Final = PRESENCE_S / 4
MARGIN_S: Final = 2.0
"""We stop leading so long before etcd can end our lease: for clocks that run unevenly and a step under way."""
FORGOTTEN_S: Final = 24 * 3600.0
"""An address where no control plane was for so long is told to no agent any more."""
LEAVE_S: Final = 2.0
WORD_PACE_S: Final = 0.05
"""Least time between two words: what changes in between is one."""

log = logging.getLogger("proa.adapters.etcd")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An address, and when a control plane was last seen there, unix seconds."""

    xds: str
    time: float


class EtcdMembership:
    """Keeps the contract of ports.membership.Membership; made by `EtcdStores.membership`."""

    def __init__(
        self,
        etcd: Etcd,
        bells: Bells,
        me: Member,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._etcd = etcd
        self._bells = bells
        self._me = me
        self._clock = clock
        self._monotonic = monotonic
        self._present = Mirror(etcd, PRESENT)
        self._said = Mirror(etcd, SAID)
        self._known = Mirror(etcd, KNOWN)
        self._lease = 0
        self._good_until = 0.0
        self._leading_since = 0
        self._word = b""
        self._sent = b""
        self._spoke = Bell()

    @property
    def name(self) -> str:
        return self._me.name

    @property
    def leads(self) -> bool:
        return self._leading_since > 0 and self._monotonic() < self._good_until

    @property
    def fence(self) -> Compare | None:
        """What holds in etcd as long as we lead; None when we do not."""
        return Compare(key=LEADER, created=self._leading_since) if self.leads else None

    def say(self, word: bytes) -> None:
        if word != self._word:
            self._word = word
            self._spoke.ring()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._stay(), name="presence")
                tasks.create_task(self._speak(), name="word to the others")
        finally:
            await self._leave()

    async def _stay(self) -> None:
        was_well = True
        async with self._bells.bell(LEADER) as bell:
            while True:
                try:
                    await self._renew()
                    was_well = True
                except StoreTemporary as error:
                    if was_well:
                        log.warning("the other control planes do not hear of this one: %s", error)
                    was_well = False
                await bell.rung(at_most_s=RENEW_S)

    async def _renew(self) -> None:
        # First: whoever is seen to be present is among the addresses as well.
        await self._note_address()
        began = self._monotonic()
        if not self._lease or not await self._is_alive():
            self._leading_since = 0
            self._lease = await self._etcd.grant(PRESENCE_S)
            await self._etcd.put(PRESENT + self.name, msgspec.json.encode(self._me), lease=self._lease)
            self._sent = b""
            self._spoke.ring()
        self._good_until = began + PRESENCE_S - MARGIN_S
        await self._stand()

    async def _is_alive(self) -> bool:
        """Our lease, and the key under it: somebody may have removed it by hand."""
        if not await self._etcd.keep_alive(self._lease):
            return False
        return bool((await self._etcd.find(Range(key=PRESENT + self.name))).count)

    async def _stand(self) -> None:
        found = (await self._etcd.find(Range(key=LEADER))).values
        if found and found[0].value.decode() == self.name:
            self._begin_leading(found[0].created)
            return
        self._leading_since = 0
        if found:
            return
        made = await self._etcd.commit(
            (Compare(key=LEADER, modified=0),),
            (PutKey(key=LEADER, value=self.name.encode(), lease=self._lease),),
        )
        if made.succeeded:
            self._begin_leading(made.revision)

    def _begin_leading(self, created: int) -> None:
        if not self._leading_since:
            log.info("this control plane leads from revision %d", created)
        self._leading_since = created

    async def _note_address(self) -> None:
        """That there is a control plane at our address, once an hour; and, for the leader, which are long gone."""
        kept = await self._known.refresh()
        now = self._clock()
        mine = kept.get(_plain(self._me.xds))
        if mine is None or now - _seen(mine.value).time > FORGOTTEN_S / 24:
            seen = msgspec.json.encode(Seen(xds=self._me.xds, time=now))
            await self._etcd.put(KNOWN + _plain(self._me.xds), seen)
        if self.leads:
            for key, each in kept.items():
                if now - _seen(each.value).time > FORGOTTEN_S:
                    await self._etcd.delete(KNOWN + key)

    async def _speak(self) -> None:
        while True:
            await self._spoke.rung(at_most_s=RENEW_S)
            if self._word == self._sent or not self._lease:
                continue
            word = self._word
            with suppress(StoreTemporary):
                await self._etcd.put(SAID + self.name, word, lease=self._lease)
                self._sent = word
            await asyncio.sleep(WORD_PACE_S)

    async def _leave(self) -> None:
        """So that nobody waits for our lease to end."""
        self._leading_since = 0
        if self._lease:
            with suppress(StoreTemporary, TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await self._etcd.revoke(self._lease)

    async def watch(self) -> AsyncGenerator[Members]:
        async for members in self._bells.follow((PRESENT, SAID, KNOWN, LEADER), self._members):
            yield members

    async def _members(self) -> Members:
        present = await self._present.refresh()
        said = await self._said.refresh()
        known = await self._known.refresh()
        leader = (await self._etcd.find(Range(key=LEADER))).values
        members = (msgspec.json.decode(each.value, type=Member) for each in present.values())
        return Members(
            present=tuple(
                msgspec.structs.replace(each, said=said[each.name].value if each.name in said else b"")
                for each in members
            ),
            servers=tuple(_seen(each.value).xds for each in known.values()),
            leader=leader[0].value.decode() if leader else "",
        )


def _plain(address: str) -> str:
    return address.replace("/", "_")


def _seen(value: bytes) -> Seen:
    return msgspec.json.decode(value, type=Seen)
