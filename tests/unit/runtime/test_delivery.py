import asyncio
from collections.abc import Iterator

import pytest

from proa.ports.failures import HandlerPermanent, HandlerTemporary
from proa.runtime.backoff import Backoff
from proa.runtime.delivery import Delivery, Pace, delivering

NEVER = Pace(interval=3600, retry_for=3600)


class Post:
    """`waiting` goes out in twos. `failures` are raised first, one for each try."""

    def __init__(self, *failures: Exception) -> None:
        self.waiting: list[int] = []
        self.failures = list(failures)
        self.sent: list[tuple[int, ...]] = []
        self.tries = 0
        self.given_up: list[tuple[tuple[int, ...], str]] = []
        self.tried = asyncio.Event()
        self.lost_all = asyncio.Event()
        self.hangs = False

    def collect(self) -> Iterator[tuple[int, ...]]:
        while self.waiting:
            batch = tuple(self.waiting[:2])
            del self.waiting[:2]
            yield batch

    async def send(self, batch: tuple[int, ...]) -> None:
        self.tries += 1
        self.tried.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(batch)

    def lost(self, batch: tuple[int, ...], why: str) -> None:
        self.given_up.append((batch, why))
        if not self.waiting:
            self.lost_all.set()

    def delivery(self, pace: Pace = NEVER, shortest: float = 0.001) -> Delivery[tuple[int, ...]]:
        backoff = Backoff(lambda: 0.5, shortest=shortest, longest=shortest)
        return Delivery(self.collect, self.send, self.lost, pace, backoff)


def test_what_came_is_sent_at_the_end() -> None:
    async def body() -> Post:
        post = Post()
        async with delivering(post.delivery()):
            post.waiting += [1, 2, 3]
        return post

    post = asyncio.run(body())
    assert (post.sent, post.given_up) == ([(1, 2), (3,)], [])


def test_each_interval_and_when_it_is_hurried() -> None:
    async def body() -> Post:
        post = Post()
        async with delivering(post.delivery(Pace(interval=0.001, retry_for=1))):
            post.waiting.append(1)
            await post.tried.wait()
        post.tried.clear()
        async with delivering(post.delivery()) as delivery:
            await asyncio.sleep(0)
            post.waiting.append(2)
            delivery.hurry()
            await post.tried.wait()
            assert post.sent == [(1,), (2,)]
        return post

    assert asyncio.run(body()).sent == [(1,), (2,)]


def test_a_batch_is_tried_again_and_the_others_keep_their_order() -> None:
    async def body() -> Post:
        post = Post(HandlerTemporary("away"), HandlerTemporary("away"))
        post.waiting += [1, 2, 3, 4]
        async with delivering(post.delivery(Pace(interval=0.001, retry_for=3600))):
            while len(post.sent) < 2:
                post.tried.clear()
                await post.tried.wait()
        return post

    post = asyncio.run(body())
    assert (post.sent, post.tries, post.given_up) == ([(1, 2), (3, 4)], 4, [])


def test_what_will_never_be_taken_is_given_up_at_once() -> None:
    async def body() -> Post:
        post = Post(HandlerPermanent("no such thing"))
        post.waiting += [1, 2, 3]
        async with delivering(post.delivery()):
            pass
        return post

    post = asyncio.run(body())
    assert (post.sent, post.given_up) == ([(3,)], [((1, 2), "no such thing")])


def test_after_its_time_a_batch_is_given_up() -> None:
    async def body() -> Post:
        post = Post(*(HandlerTemporary(f"away {number}") for number in range(3)))
        post.waiting += [1, 2, 3]
        async with delivering(post.delivery(Pace(interval=0.001, retry_for=0))):
            await post.lost_all.wait()
        return post

    post = asyncio.run(body())
    assert [batch for batch, _ in post.given_up] == [(1, 2), (3,)]


def test_at_the_end_each_batch_is_tried_once() -> None:
    async def body() -> Post:
        post = Post(HandlerTemporary("away"), HandlerTemporary("away"), HandlerTemporary("still away"))
        post.waiting += [1, 2]
        async with delivering(post.delivery(shortest=3600)):
            await post.tried.wait()
            post.waiting += [3, 4, 5]
        return post

    post = asyncio.run(body())
    assert post.given_up == [((1, 2), "away"), ((3, 4), "still away")]
    assert post.sent == [(5,)]


@pytest.mark.parametrize("first", [True, False])
def test_what_hangs_at_the_end_is_given_up(first: bool) -> None:
    async def body() -> Post:
        post = Post()
        post.hangs = True
        post.waiting += [1, 2, 3]
        async with delivering(post.delivery(Pace(interval=3600, retry_for=3600, closing=0.01))):
            if first:
                await post.tried.wait()
        return post

    post = asyncio.run(body())
    assert [batch for batch, _ in post.given_up] == [(1, 2), (3,)]
    assert "0.01 s of the end" in post.given_up[0][1]


def test_an_operators_milliseconds() -> None:
    assert Pace.of_ms(None, None, usually=60_000) == Pace(interval=1.0, retry_for=60.0)
    assert Pace.of_ms(250, 0, usually=60_000) == Pace(interval=0.25, retry_for=0.0), "not tried again"
