"""What every AuthorityStore must do. An adapter's test subclasses AuthorityStoreContract."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import msgspec
import pytest

from proa.core.auth.grants import Grant, Placement
from proa.core.auth.revocation import Revocation, Target
from proa.core.auth.tokens import UNKNOWN, TokenRecord, TokenRefused, hash_secret
from proa.ports.authority_store import AuthorityEvent, AuthorityStore, Issuance
from proa.ports.failures import StorePermanent

Opened = AbstractAsyncContextManager[AuthorityStore]
Body = Callable[[AuthorityStore], Awaitable[None]]
PATIENCE = 60.0

SECRET = hash_secret("s")
TOKEN = TokenRecord(
    id="t1",
    secret_sha256=SECRET,
    node="a",
    placements=(Placement(namespace="default"), Placement(service="reviews", account="x")),
    created=1.0,
    expires=10.0,
)
ISSUED = Issuance(
    serial="a1",
    identity="spiffe://cluster.local/ns/default/sa/x",
    dns_names=("w.default.workload.cluster.local",),
    asked_by="spiffe://cluster.local/proa/node/a",
    not_before=1,
    not_after=100,
    time=2.0,
)


REVOKED = Revocation(
    target=Target("identity", "spiffe://cluster.local/ns/default/sa/x"), reason="why", author="ann", time=2.0
)


class AuthorityStoreContract:
    """Subclasses give `open_authority_store`, a fixture: each call opens the same store again."""

    @pytest.fixture
    def run(self, open_authority_store: Callable[[], Opened]) -> Callable[[Body], None]:
        def run(body: Body) -> None:
            async def opened() -> None:
                async with asyncio.timeout(PATIENCE), open_authority_store() as store:
                    await body(store)

            asyncio.run(opened())

        return run

    def test_a_token_is_used_once_and_makes_the_grant(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            await store.put_token(TOKEN)
            assert await store.tokens() == (TOKEN,)
            assert await store.grant_of("a") is None
            used = await store.redeem("t1", SECRET, "a", 5.0)
            assert used == msgspec.structs.replace(TOKEN, uses=0)
            assert await store.grant_of("a") == TOKEN.grant
            again = await store.redeem("t1", SECRET, "a", 5.0)
            assert again == TokenRefused(reason="join token t1 for node a has been used", code="token used")

        run(body)

    def test_a_refusal_changes_nothing(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            await store.put_token(TOKEN)
            assert await store.redeem("t2", SECRET, "a", 5.0) == UNKNOWN
            assert await store.redeem("t1", hash_secret("x"), "a", 5.0) == UNKNOWN
            assert await store.redeem("t1", SECRET, "b", 5.0) == UNKNOWN
            assert isinstance(await store.redeem("t1", SECRET, "a", 10.0), TokenRefused)
            assert await store.tokens() == (TOKEN,)
            assert await store.grants() == ()

        run(body)

    def test_of_those_who_come_at_once_only_the_uses_succeed(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            await store.put_token(msgspec.structs.replace(TOKEN, uses=2))
            async with asyncio.TaskGroup() as tasks:
                tried = [tasks.create_task(store.redeem("t1", SECRET, "a", 5.0)) for _ in range(8)]
            names = sorted(type(each.result()).__name__ for each in tried)
            assert names == ["TokenRecord"] * 2 + ["TokenRefused"] * 6

        run(body)

    def test_a_token_id_is_taken_once(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            await store.put_token(TOKEN)
            with pytest.raises(StorePermanent):
                await store.put_token(msgspec.structs.replace(TOKEN, node="b"))
            assert await store.tokens() == (TOKEN,)

        run(body)

    def test_a_new_token_replaces_the_grant(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            await store.put_grant(Grant(node="a", placements=(Placement(),)))
            await store.put_token(TOKEN)
            await store.redeem("t1", SECRET, "a", 5.0)
            assert await store.grants() == (TOKEN.grant,)

        run(body)

    def test_grants_come_and_go(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            b, a = Grant(node="b"), Grant(node="a", placements=(Placement(),))
            await store.put_grant(b)
            await store.put_grant(a)
            assert await store.grants() == (a, b)
            assert await store.remove_grant("b")
            assert not await store.remove_grant("b")
            assert await store.grants() == (a,)

        run(body)

    def test_grants_are_watched(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            watch = store.watch_grants()
            assert await anext(watch) == ()
            await store.put_token(TOKEN)
            await store.redeem("t1", SECRET, "a", 5.0)
            assert await anext(watch) == (TOKEN.grant,)
            await store.remove_grant("nobody")
            await store.remove_grant("a")
            assert await anext(watch) == ()

        run(body)

    def test_the_audit_is_appended_and_serials_are_used_once(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            other = msgspec.structs.replace(
                ISSUED, serial="b2", identity="spiffe://cluster.local/proa/node/a"
            )
            await store.record_issuance(ISSUED)
            await store.record_issuance(other)
            with pytest.raises(StorePermanent):
                await store.record_issuance(msgspec.structs.replace(other, serial="a1"))
            assert await store.issuances() == (other, ISSUED)
            assert await store.issuances(limit=1) == (other,)
            assert await store.issuances(ISSUED.identity) == (ISSUED,)

        run(body)

    def test_a_token_is_found_by_its_id(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            await store.put_token(TOKEN)
            assert await store.token("t1") == TOKEN
            assert await store.token("t2") is None

        run(body)

    def test_the_audit_tells_who_signed(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            signed = msgspec.structs.replace(ISSUED, issuer="CN=x", root_sha256="ab")
            await store.record_issuance(signed)
            assert await store.issuances() == (signed,)

        run(body)

    def test_holders_are_those_whose_last_certificate_has_not_ended(
        self, run: Callable[[Body], None]
    ) -> None:
        async def body(store: AuthorityStore) -> None:
            node_a, node_b = "spiffe://cluster.local/proa/node/a", "spiffe://cluster.local/proa/node/b"
            joined = msgspec.structs.replace(
                ISSUED, serial="b1", identity=node_b, asked_by="token:t1", not_after=90
            )
            await store.record_issuance(ISSUED)
            await store.record_issuance(msgspec.structs.replace(ISSUED, serial="a2", not_after=95))
            await store.record_issuance(joined)
            assert dict(await store.holders(80.0)) == {node_a: 100, node_b: 90}
            assert dict(await store.holders(90.0)) == {node_a: 100}
            assert dict(await store.holders(100.0)) == {}

        run(body)

    def test_events_are_appended_and_forgotten_with_their_time(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            first = AuthorityEvent(time=1.0, kind="root-prepared", subject="ab", asked_by="proa")
            second = AuthorityEvent(
                time=2.0, kind="refused", subject="spiffe://x/y", asked_by="token:t", detail="why"
            )
            await store.record_event(first)
            await store.record_event(second)
            assert await store.events() == (second, first)
            assert await store.events(limit=1) == (second,)
            assert await store.prune(2.0, 10) == 1
            assert await store.events() == (second,)

        run(body)

    def test_what_ended_long_ago_is_forgotten_in_bounded_steps(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            lasting = msgspec.structs.replace(TOKEN, id="t9", expires=50.0)
            current = msgspec.structs.replace(ISSUED, serial="c9", not_after=200)
            await store.put_token(lasting)
            for each in range(3):
                await store.put_token(msgspec.structs.replace(TOKEN, id=f"t{each}"))
                await store.record_issuance(msgspec.structs.replace(ISSUED, serial=f"a{each}", not_after=9))
            await store.redeem("t1", SECRET, "a", 5.0)
            await store.record_issuance(current)
            assert await store.prune(9.0, 2) == 0
            assert await store.prune(10.0, 2) == 2
            assert await store.prune(10.5, 2) == 3
            assert await store.prune(10.5, 2) == 1
            assert await store.prune(10.5, 2) == 0
            assert await store.tokens() == (lasting,)
            assert await store.issuances() == (current,)
            assert await store.redeem("t1", SECRET, "a", 5.0) == UNKNOWN
            assert await store.grants() == (TOKEN.grant,)

        run(body)

    def test_a_certificate_is_found_by_its_serial_and_by_who_asked(self, run: Callable[[Body], None]) -> None:
        async def body(store: AuthorityStore) -> None:
            other = msgspec.structs.replace(ISSUED, serial="b2", not_after=50)
            elsewhere = msgspec.structs.replace(ISSUED, serial="c3", asked_by="token:t")
            for each in (ISSUED, other, elsewhere):
                await store.record_issuance(each)
            assert await store.issuance("b2") == other
            assert await store.issuance("ff") is None
            assert await store.issued_by(ISSUED.asked_by, 10.0, 10) == (other, ISSUED)
            assert await store.issued_by(ISSUED.asked_by, 50.0, 10) == (ISSUED,)
            assert await store.issued_by(ISSUED.asked_by, 10.0, 1) == (other,)

        run(body)

    def test_revocations_are_replaced_watched_and_kept(self, run: Callable[[Body], None]) -> None:
        async def first(store: AuthorityStore) -> None:
            watch = store.watch_revocations()
            assert await anext(watch) == ()
            await store.put_revocation(REVOKED)
            assert await anext(watch) == (REVOKED,)
            lifted = msgspec.structs.replace(REVOKED, lifted=5.0)
            await store.put_revocation(lifted)
            assert await anext(watch) == (lifted,)

        async def second(store: AuthorityStore) -> None:
            assert await store.revocations() == (msgspec.structs.replace(REVOKED, lifted=5.0),)

        run(first)
        run(second)

    def test_revocations_that_are_over_are_forgotten_but_never_the_newest(
        self, run: Callable[[Body], None]
    ) -> None:
        async def body(store: AuthorityStore) -> None:
            ended = msgspec.structs.replace(REVOKED, target=Target("serial", "a1"), ends=4.0, time=1.0)
            lasting = msgspec.structs.replace(REVOKED, target=Target("workload", "a/b"), time=1.5)
            newest = msgspec.structs.replace(REVOKED, lifted=5.0)
            for each in (ended, lasting, newest):
                await store.put_revocation(each)
            assert await store.prune(4.0, 10) == 0
            assert await store.prune(9.0, 10) == 1
            assert await store.revocations() == (newest, lasting)

        run(body)

    def test_all_is_there_after_a_restart(self, run: Callable[[Body], None]) -> None:
        async def first(store: AuthorityStore) -> None:
            await store.put_token(TOKEN)
            await store.redeem("t1", SECRET, "a", 5.0)
            await store.record_issuance(ISSUED)

        async def second(store: AuthorityStore) -> None:
            assert isinstance(await store.redeem("t1", SECRET, "a", 5.0), TokenRefused)
            assert await store.grants() == (TOKEN.grant,)
            assert await store.issuances() == (ISSUED,)

        run(first)
        run(second)
