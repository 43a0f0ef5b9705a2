"""What every ConfigStore must do. An adapter's test subclasses ConfigStoreContract and says how to open one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import msgspec
import pytest

from proa.core.model.names import ObjectRef
from proa.ports.config_store import (
    Action,
    Applied,
    ConfigStore,
    Conflict,
    Delete,
    Put,
    StoreState,
    Transaction,
)

Opened = AbstractAsyncContextManager[ConfigStore]
Body = Callable[[ConfigStore], Awaitable[None]]
PATIENCE = 60.0  # seconds until a test calls a watch dead

A = ObjectRef("VirtualService", "default", "a")
B = ObjectRef("VirtualService", "default", "b")
C = ObjectRef("Gateway", "istio-system", "c")


def put(ref: ObjectRef, manifest: str = "{}", file: str = "f.yaml", line: int = 1) -> Put:
    return Put(ref=ref, api_version="networking.istio.io/v1", manifest=manifest, file=file, line=line)


def change(
    *changes: Put | Delete, time: float = 1.0, expected: int | None = None, note: str = ""
) -> Transaction:
    return Transaction(changes=changes, author="ada", time=time, expected_version=expected, note=note)


async def applied(store: ConfigStore, transaction: Transaction) -> Applied:
    result = await store.apply(transaction)
    assert isinstance(result, Applied)
    return result


def actions(result: Applied) -> list[tuple[str, Action]]:
    return [(each.ref.name, each.action) for each in result.results]


class ConfigStoreContract:
    """Subclasses give `open_store`, a fixture: each call opens the same store again."""

    @pytest.fixture
    def run(self, open_store: Callable[[], Opened]) -> Callable[[Body], None]:
        def run(body: Body) -> None:
            async def opened() -> None:
                async with asyncio.timeout(PATIENCE), open_store() as store:
                    await body(store)

            asyncio.run(opened())

        return run

    def test_an_empty_store_is_at_version_zero(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            assert await store.state() == StoreState(version=0)
            assert await store.history() == ()

        run(body)

    def test_a_transaction_is_one_version(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            result = await applied(store, change(put(A), put(B, '{"b":1}', "g.yaml", 7), time=5.0))
            assert (result.version, actions(result)) == (1, [("a", "created"), ("b", "created")])
            state = await store.state()
            assert (state.version, set(state.objects)) == (1, {A, B})
            stored = state.objects[B]
            assert (stored.manifest, stored.file, stored.line) == ('{"b":1}', "g.yaml", 7)
            assert (stored.version, stored.author, stored.time, stored.created) == (1, "ada", 5.0, 5.0)

        run(body)

    def test_only_what_changed_gets_the_new_version(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A), put(B), time=1.0))
            result = await applied(store, change(put(A, '{"a":2}'), put(B), Delete(ref=C), time=2.0))
            assert actions(result) == [("a", "changed"), ("b", "unchanged"), ("c", "absent")]
            objects = (await store.state()).objects
            assert (objects[A].version, objects[A].time, objects[A].created) == (2, 2.0, 1.0)
            assert (objects[B].version, objects[B].time) == (1, 1.0)

        run(body)

    def test_no_effect_is_no_version(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A)))
            moved = await applied(store, change(put(A, line=9), Delete(ref=B), time=2.0))
            assert (moved.version, actions(moved)) == (1, [("a", "unchanged"), ("b", "absent")])
            state = await store.state()
            assert (state.version, state.objects[A].line, state.objects[A].time) == (1, 9, 1.0)
            assert len(await store.history()) == 1

        run(body)

    def test_the_last_change_of_an_object_counts(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            result = await applied(store, change(put(A), put(A, '{"a":2}'), put(B), Delete(ref=B)))
            assert actions(result) == [("a", "created"), ("b", "absent")]
            again = await applied(store, change(Delete(ref=A), put(A, '{"a":2}')))
            assert (again.version, actions(again)) == (1, [("a", "unchanged")])

        run(body)

    def test_a_deleted_object_starts_anew(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A), time=1.0))
            result = await applied(store, change(Delete(ref=A), time=2.0))
            assert (result.version, actions(result)) == (2, [("a", "deleted")])
            assert await store.state() == StoreState(version=2)
            await applied(store, change(put(A), time=3.0))
            assert (await store.state()).objects[A].created == 3.0

        run(body)

    def test_a_wrong_expectation_applies_nothing(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A), expected=0))
            result = await store.apply(change(put(B), Delete(ref=A), expected=0))
            assert result == Conflict(expected=0, actual=1)
            state = await store.state()
            assert (state.version, set(state.objects)) == (1, {A})
            assert isinstance(await store.apply(change(put(B), expected=1)), Applied)

        run(body)

    def test_all_or_nothing(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A)))
            unwritable = put(C, manifest=b"not text")  # type: ignore[arg-type]
            with pytest.raises(Exception, match=r".*"):
                await store.apply(change(put(B), Delete(ref=A), unwritable))
            state = await store.state()
            assert (state.version, set(state.objects)) == (1, {A})
            assert len(await store.history()) == 1
            assert (await applied(store, change(put(B)))).version == 2

        run(body)

    def test_of_those_who_expect_the_same_one_wins(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            async with asyncio.TaskGroup() as tasks:
                tried = [
                    tasks.create_task(store.apply(change(put(A, f'{{"a":{number}}}'), expected=0)))
                    for number in range(8)
                ]
            assert sorted(type(each.result()).__name__ for each in tried) == ["Applied"] + ["Conflict"] * 7

        run(body)

    def test_history_tells_who_changed_what(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A, '{"a":1}'), put(B), time=1.0))
            await applied(store, change(put(A, '{"a":2}'), time=2.0))
            await applied(store, change(Delete(ref=A), time=3.0))
            told = [(each.version, each.action, each.manifest, each.time) for each in await store.history(A)]
            assert told == [
                (3, "deleted", "", 3.0),
                (2, "changed", '{"a":2}', 2.0),
                (1, "created", '{"a":1}', 1.0),
            ]
            assert [each.version for each in await store.history()] == [3, 2, 1, 1]
            assert [each.version for each in await store.history(limit=1)] == [3]

        run(body)

    def test_history_has_both_sides_and_the_reason(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A, '{"a":1}'), note="begin"))
            await applied(store, change(put(A, '{"a":2}'), put(B)))
            await applied(store, change(Delete(ref=A), note="end"))
            await applied(store, change(put(A, '{"a":3}')))
            told = [(each.before, each.manifest, each.note) for each in await store.history(A)]
            assert told == [
                ("", '{"a":3}', ""),
                ('{"a":2}', "", "end"),
                ('{"a":1}', '{"a":2}', ""),
                ("", '{"a":1}', "begin"),
            ]

        run(body)

    def test_history_cuts_no_version(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A), put(B)))
            await applied(store, change(put(A, '{"a":2}'), put(B, '{"b":2}'), put(C)))
            await applied(store, change(put(C, '{"c":3}')))
            assert [each.version for each in await store.history(limit=2)] == [3, 2, 2, 2]
            assert [each.version for each in await store.history(A, limit=1)] == [2]
            assert [each.ref for each in await store.history(limit=1)] == [C]

        run(body)

    def test_every_state_there_was_can_be_read(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            states = [await store.state()]
            for number, transaction in enumerate((
                change(put(A), put(B, line=3)),
                change(put(A, '{"a":2}'), put(C)),
                change(Delete(ref=A)),
                change(put(A), Delete(ref=B)),
                change(put(A, '{"a":3}'), put(B)),
            )):  # fmt: skip
                timed = msgspec.structs.replace(transaction, time=float(number), author=f"{number}")
                await applied(store, timed)
                states.append(await store.state())
            assert [await store.state_at(each.version) for each in states] == states
            assert await store.state_at(-1) is None
            assert await store.state_at(len(states)) is None

        run(body)

    def test_an_object_is_brought_back_with_its_age(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A), time=1.0))
            await applied(store, change(Delete(ref=A), time=2.0))
            back = msgspec.structs.replace(put(A), created=1.0)
            assert actions(await applied(store, change(back, time=3.0))) == [("a", "created")]
            stored = (await store.state()).objects[A]
            assert (stored.created, stored.time) == (1.0, 3.0)
            assert await store.state_at(3) == await store.state()
            assert actions(await applied(store, change(back, time=4.0))) == [("a", "unchanged")]

        run(body)

    def test_what_was_applied_is_there_after_a_restart(self, run: Callable[[Body], None]) -> None:
        states: list[StoreState] = []

        async def first(store: ConfigStore) -> None:
            await applied(store, change(put(A, '{"ä":1}', line=4), put(B)))
            await applied(store, change(Delete(ref=B)))
            states.append(await store.state())

        async def second(store: ConfigStore) -> None:
            assert await store.state() == states[0]
            assert (await applied(store, change(put(B)))).version == 3

        run(first)
        run(second)

    def test_a_watch_yields_the_state_at_once(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A)))
            state = await anext(store.watch())
            assert (state.version, set(state.objects)) == (1, {A})

        run(body)

    def test_a_watch_yields_every_new_version_it_is_ready_for(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            watch = store.watch()
            assert (await anext(watch)).version == 0
            await applied(store, change(put(A)))
            assert (await anext(watch)).version == 1
            await applied(store, change(put(B)))
            await applied(store, change(Delete(ref=B)))
            await applied(store, change(put(C)))
            newest = await anext(watch)
            assert (newest.version, set(newest.objects)) == (4, {A, C})

        run(body)

    def test_a_waiting_watch_is_woken_by_effects_only(self, run: Callable[[Body], None]) -> None:
        async def body(store: ConfigStore) -> None:
            await applied(store, change(put(A)))
            seen: list[int] = []
            both = asyncio.Event()

            async def read() -> None:
                async for state in store.watch():
                    seen.append(state.version)
                    both.set()
                    if state.version == 2:
                        return

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(read())
                await both.wait()
                await applied(store, change(put(A, line=3), Delete(ref=B)))
                await store.apply(change(put(C), expected=0))
                await applied(store, change(put(C)))
            assert seen == [1, 2]

        run(body)

    def test_watches_end_when_the_store_closes(self, open_store: Callable[[], Opened]) -> None:
        async def body() -> None:
            seen: list[int] = []
            ready = asyncio.Event()

            async def read(store: ConfigStore) -> None:
                async for state in store.watch():
                    seen.append(state.version)
                    ready.set()

            async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks, open_store() as store:
                tasks.create_task(read(store))
                await ready.wait()
            assert seen == [0]

        asyncio.run(body())
