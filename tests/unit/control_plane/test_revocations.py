"""Revocations in the authority: what follows from one, over stores and time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from proa.adapters.config_sources.sqlite import open_stores
from proa.control_plane.revocations import RevocationRefused, Revocations
from proa.core.auth.revocation import Target
from proa.core.auth.spiffe import node_id
from proa.ports.authority_store import AuthorityStore, Issuance

TD = "cluster.local"
NODE = node_id(TD, "a")


def issued(
    serial: str, asked_by: str = str(NODE), identity: str = "spiffe://cluster.local/ns/n/sa/x"
) -> Issuance:
    return Issuance(
        serial=serial, identity=identity, asked_by=asked_by, not_before=0, not_after=100, time=1.0
    )


class Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


Body = Callable[[AuthorityStore, Revocations, Clock], Awaitable[None]]


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Body], None]:
    def run(body: Body) -> None:
        async def opened() -> None:
            path = tmp_path_factory.mktemp("store") / "store.db"
            async with asyncio.timeout(60), open_stores(path) as stores:
                clock = Clock()
                await body(stores.authority, Revocations(stores.authority, TD, clock), clock)

        asyncio.run(opened())

    return run


def test_a_serial_is_refused_until_its_certificate_ends_and_its_holder_is_told(
    run: Callable[[Body], None],
) -> None:
    async def body(store: AuthorityStore, revocations: Revocations, clock: Clock) -> None:
        await store.record_issuance(issued("a1"))
        (added,) = await revocations.revoke("0A:1", reason="lost", author="ann")
        assert (added.target, added.ends) == (Target("serial", "a1"), 100)
        assert revocations.refusal(serial="a1") == "certificate a1 is revoked"
        assert revocations.to_renew(NODE) == ("a1",)
        assert revocations.to_renew(node_id(TD, "b")) == ()
        clock.now = 100.0
        assert revocations.records() == ()
        assert revocations.to_renew(NODE) == ()
        again = Revocations(store, TD, clock)
        await again.load()
        assert again.revoked.value.serials == ()
        assert again.revoked.value.since == 10_000, "sidecars are not told anew"
        (event,) = await store.events()
        assert (event.kind, event.subject, event.asked_by, event.detail) == ("revoked", "a1", "ann", "lost")

    run(body)


def test_a_node_takes_with_it_what_it_asked_for(run: Callable[[Body], None]) -> None:
    async def body(store: AuthorityStore, revocations: Revocations, clock: Clock) -> None:
        await store.record_issuance(issued("a1"))
        await store.record_issuance(issued("a2", asked_by="token:t", identity=str(NODE)))
        await store.record_issuance(issued("b1", asked_by=str(node_id(TD, "b"))))
        added = await revocations.revoke(str(NODE), reason="", author="ann")
        assert [str(each.target) for each in added] == [f"identity {NODE}", "serial a1"]
        assert revocations.to_renew(NODE) == (), "it gets no new ones"
        assert revocations.refusal(identity=str(NODE))
        await revocations.restore(str(NODE), author="bob")
        assert not revocations.refusal(identity=str(NODE))
        assert revocations.refusal(serial="a1"), "keys that were stolen stay so"

    run(body)


def test_what_is_not_revoked(run: Callable[[Body], None]) -> None:
    async def body(store: AuthorityStore, revocations: Revocations, clock: Clock) -> None:
        await store.record_issuance(issued("a1"))
        clock.now = 101.0
        for text, said in (("a1", "has ended"), ("b2", "was signed here"), ("x y", "nothing to revoke")):
            with pytest.raises(RevocationRefused, match=said):
                await revocations.revoke(text, reason="", author="ann")
        with pytest.raises(RevocationRefused, match="is not revoked"):
            await revocations.restore("default/x", author="ann")
        assert await store.revocations() == ()

    run(body)


def test_what_another_control_plane_revoked_is_taken_over(run: Callable[[Body], None]) -> None:
    async def body(store: AuthorityStore, revocations: Revocations, clock: Clock) -> None:
        other = Revocations(store, TD, clock)
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(other.run())
            await revocations.revoke("default/x", reason="", author="ann")
            await other.revoked.until(lambda revoked: bool(revoked.names))
            assert other.refusal(names=("x.default.workload.cluster.local",))
            following.cancel()

    run(body)
