"""Proves over HTTP that the running bookstore does what the public task pages say, and that strangers stay
out.

`proa demo --check` calls it with a context that applies files and finds ports; it draws the table and sets
the exit code. A probe that fails or breaks becomes a row, never an exception, so that one run shows
everything that is wrong. The rows run in the order of PROBES, each applying what it needs, and leave the
bookstore as they found it.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from proa.core.model.names import DEFAULT_NAMESPACE, ObjectRef, WorkloadId
from proa.demo.bookstore import FIRST_FILES, HEALTH_PATH, PROGRAMS, SERVICE_PORT, config_path
from proa.demo.intruder import REFUSED, knock, make_intruders
from proa.demo.visitor import API_RATINGS, API_REVIEWS, Visitor, new_visitor, reviews_seen
from proa.testing.http1 import Response
from proa.testing.load import acceptance_plan, offer_load

SORRY = "Sorry, product reviews are currently unavailable for this book."
NO_RATINGS = "Ratings service is currently unavailable"
V1, V2, V3 = "v1 no stars", "v2 black", "v3 red"


class CheckContext(Protocol):
    """The running mesh as the check needs it. Every method raises with a message for people when it fails."""

    @property
    def page_url(self) -> str:
        """`http://host:port/productpage` at the ingress gateway."""
        ...

    async def apply(self, files: Sequence[str]) -> None:
        """Applies these paths in one transaction and returns once every proxy concerned has ACKed."""
        ...

    async def delete(self, refs: Sequence[ObjectRef]) -> None:
        """Deletes these objects; returns as `apply` does."""
        ...

    async def inbound_address(self, workload: WorkloadId) -> tuple[str, int]:
        """Where the workload's sidecar takes calls from other sidecars."""
        ...

    async def exec(self, workload: WorkloadId, argv: Sequence[str]) -> tuple[int, str, str]:
        """Runs a command with the workload's environment: exit code, standard output, standard error."""
        ...


class CheckRow(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    expected: str
    seen: str
    ok: bool
    seconds: float


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How much of each is done. The defaults are the acceptance list's; tests of the check itself use less."""

    few: int = 50
    split: int = 2000
    points: float = 6.0
    delayed_s: tuple[float, float] = (5.5, 6.9)
    quick_s: float = 2.5
    load_before_s: float = 4.0
    load_after_s: float = 4.0


class Finding(msgspec.Struct, frozen=True):
    ok: bool
    seen: str


class Bench(msgspec.Struct, frozen=True):
    """What every probe gets."""

    context: CheckContext
    visitor: Visitor
    scale: Scale

    async def apply(self, *files: str) -> None:
        await self.context.apply([str(config_path(file)) for file in files])


Probe = Callable[[Bench], Awaitable[Finding]]


async def check(
    context: CheckContext, *, scale: Scale | None = None, on_row: Callable[[CheckRow], None] | None = None
) -> tuple[CheckRow, ...]:
    """Runs every probe; `on_row` hears each row as it is known. Two to three minutes on two slow cores."""
    rows: list[CheckRow] = []
    async with new_visitor(context.page_url) as visitor:
        bench = Bench(context, visitor, scale or Scale())
        for name, expected, probe in PROBES:
            row = await _run(name, expected, probe, bench)
            rows.append(row)
            if on_row is not None:
                on_row(row)
    return tuple(rows)


async def _run(name: str, expected: str, probe: Probe, bench: Bench) -> CheckRow:
    began = time.monotonic()
    try:
        finding = await probe(bench)
    except Exception as error:  # whatever breaks in one probe is that row's news, and the next one still runs
        finding = Finding(False, _told(error))
    seconds = time.monotonic() - began
    return CheckRow(name=name, expected=expected, seen=finding.seen, ok=finding.ok, seconds=seconds)


def _told(error: BaseException) -> str:
    """One line; of a group, which task groups raise, the first member."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


async def _page_answers(bench: Bench) -> Finding:
    await bench.apply(*FIRST_FILES)
    page = await bench.visitor.page()
    parts = ("The Comedy of Errors", "William Shakespeare", 'data-pod="reviews-v1"')
    missing = [part for part in parts if part not in page.text]
    return Finding(page.status == 200 and not missing, f"{page.status}, {_missing(missing)}")


def _missing(parts: Sequence[str]) -> str:
    return f"without {', '.join(parts)}" if parts else "complete"


async def _all_v1(bench: Bench) -> Finding:
    seen = await bench.visitor.count_reviews(2 * bench.scale.few)
    return Finding(set(seen) == {V1}, _counts(seen))


async def _jason_sees_v2(bench: Bench) -> Finding:
    await bench.apply("reviews-test-v2.yaml")
    few = bench.scale.few
    others = await bench.visitor.count_reviews(few)
    jason = await bench.visitor.count_reviews(few, user="jason")
    async with new_visitor(bench.context.page_url) as guest:
        page = await guest.sign_in("jason")
        signed_in = await guest.count_reviews(few)
    is_page_right = 'data-pod="reviews-v2"' in page.text and 'data-colour="black"' in page.text
    is_ok = set(others) == {V1} and set(jason) == {V2} and set(signed_in) == {V2} and is_page_right
    told = f"header: {_counts(jason)}; signed in: {_counts(signed_in)}; others: {_counts(others)}"
    return Finding(is_ok, told if is_page_right else f"{told}; page without black stars")


async def _ratings_delayed(bench: Bench) -> Finding:
    await bench.apply("reviews-test-v2.yaml", "ratings-test-delay.yaml")
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(bench.visitor.page("jason"))
        quick = group.create_task(bench.visitor.page("ann"))
    jason, ann = slow.result(), quick.result()
    shortest, longest = bench.scale.delayed_s
    is_sorry = jason.status == 200 and SORRY in jason.text
    is_ann_right = 'data-pod="reviews-v1"' in ann.text and ann.seconds < bench.scale.quick_s
    told = f"jason {jason.seconds:.1f} s, reviews {'unavailable' if is_sorry else 'shown'}; others {ann.seconds:.1f} s"
    return Finding(shortest <= jason.seconds <= longest and is_sorry and is_ann_right, told)


async def _ratings_aborted(bench: Bench) -> Finding:
    await bench.apply("reviews-test-v2.yaml", "ratings-test-abort.yaml")
    page = await bench.visitor.page("jason")
    others = await bench.visitor.page()
    is_told = NO_RATINGS in page.text and 'data-pod="reviews-v2"' in page.text
    is_ok = is_told and page.seconds < bench.scale.quick_s and 'data-pod="reviews-v1"' in others.text
    return Finding(
        is_ok, f"{page.seconds:.1f} s, ratings {'said to be missing' if is_told else 'not missed'}"
    )


async def _half_and_half(bench: Bench) -> Finding:
    await bench.apply("virtual-service-all-v1.yaml")  # ratings heal; by itself, for it names reviews too
    await bench.apply("reviews-50-v3.yaml")
    seen = await bench.visitor.count_reviews(bench.scale.split)
    share = 100 * seen[V3] / bench.scale.split
    is_ok = set(seen) <= {V1, V3} and abs(share - 50) <= bench.scale.points
    return Finding(is_ok, f"v3 {share:.1f} %: {_counts(seen)}")


async def _shift_under_load(bench: Bench) -> Finding:
    """50/50 to 0/100 while 50 requests a second come in, POSTs among them."""
    await bench.apply("reviews-50-v3.yaml")
    url = bench.visitor.url
    body = b'{"Reviewer1": 5, "Reviewer2": 4}'
    plan = acceptance_plan(url(API_REVIEWS), url(API_RATINGS), body, seconds=120)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        load = group.create_task(offer_load(plan, classify=_label, stop=stop))
        await asyncio.sleep(bench.scale.load_before_s)
        began = time.monotonic()
        await bench.apply("reviews-v3.yaml")
        applied = time.monotonic()
        await asyncio.sleep(bench.scale.load_after_s)
        stop.set()
    result = load.result()
    all_seen, after = result.labels(), result.labels(sent_after=applied)
    before = all_seen - after
    took = f"apply took {applied - began:.1f} s"
    told = f"{result.summary()}; before: {_counts(before)}; {took}; after: {_counts(after)}"
    is_ok = not result.failures and {V1, V3} <= set(before) and set(after) == {V3}
    return Finding(is_ok, told)


def _label(response: Response) -> str:
    return reviews_seen(response.body)


async def _always_red(bench: Bench) -> Finding:
    await bench.apply("reviews-v3.yaml")
    seen = await bench.visitor.count_reviews(bench.scale.few)
    return Finding(set(seen) == {V3}, _counts(seen))


async def _rule_deleted(bench: Bench) -> Finding:
    await bench.context.delete([ObjectRef("VirtualService", DEFAULT_NAMESPACE, "reviews")])
    seen = await bench.visitor.count_reviews(2 * bench.scale.few)
    return Finding(set(seen) == {V1, V2, V3}, _counts(seen))


async def _strangers_stay_out(bench: Bench) -> Finding:
    client = next(program for program in PROGRAMS if program.service == "productpage")
    intruders = make_intruders(client.id, client.account)
    let_in: list[str] = []
    for program in PROGRAMS:
        address = await bench.context.inbound_address(program.id)
        service = WorkloadId(program.namespace, program.service)
        for name, tls in intruders.items():
            outcome = await knock(address, service, SERVICE_PORT, tls, HEALTH_PATH)
            if outcome != REFUSED:
                let_in.append(f"{name} at {program.id.name}: {outcome}")
    tried = len(intruders) * len(PROGRAMS)
    return Finding(not let_in, "; ".join(let_in) or f"{tried} of {tried} refused")


_ASK_RATINGS = (
    "import urllib.request as r;"
    f" print(r.urlopen('http://ratings:{SERVICE_PORT}/ratings/0', timeout=10).read().decode())"
)


async def _called_by_name(bench: Bench) -> Finding:
    """Any program of the workload's environment finds a service by its bare name; -I: nothing of ours is
    loaded.
    """
    argv = (sys.executable, "-I", "-c", _ASK_RATINGS)
    code, out, err = await bench.context.exec(PROGRAMS[0].id, argv)
    is_ok = code == 0 and "ratings-v1" in out
    return Finding(is_ok, "ratings-v1 answered" if is_ok else f"exit code {code}: {_last_line(err or out)}")


async def _left_as_found(bench: Bench) -> Finding:
    await bench.apply(*FIRST_FILES)
    seen = await bench.visitor.count_reviews(bench.scale.few)
    return Finding(set(seen) == {V1}, _counts(seen))


PROBES: tuple[tuple[str, str, Probe], ...] = (
    ("the page answers", "200, complete", _page_answers),
    ("all v1", "never stars", _all_v1),
    ("end-user jason", "jason v2 with black stars, others v1", _jason_sees_v2),
    ("ratings 7 s late for jason", "about 6 s, reviews unavailable; others at once", _ratings_delayed),
    ("ratings fail for jason", "at once, ratings unavailable", _ratings_aborted),
    ("weights 50/50", "half v1, half v3 (red), within 6 points", _half_and_half),
    ("weights 50/50 to 0/100 under load", "none failed, no v1 once applied", _shift_under_load),
    ("weights 0/100", "always red stars", _always_red),
    ("rule for reviews deleted", "v1, v2 and v3 in turn", _rule_deleted),
    ("strangers at the sidecars' ports", "all refused", _strangers_stay_out),
    ("a call by name with a workload's environment", "answered", _called_by_name),
    ("first configuration again", "never stars", _left_as_found),
)


def _counts(seen: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(seen.items())) or "nothing"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]
