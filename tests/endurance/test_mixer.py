"""What rules that ask cost and hold in a mesh, in the form of their acceptance: ten thousand requests, one proxy worker
and two, a list that changes, and a control plane that is killed or stands still. About two minutes."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from tests.mesh.asking_rules import Caller, Words, by_policy
from tests.mesh.harness import Mesh, app, until, why_no_envoy
from tests.mesh.outages import Host, one_host, without_control_plane

Tell = Callable[[str], None]
pytestmark = [pytest.mark.endurance, pytest.mark.timeout(900)]

REQUESTS: Final = 10_000
KINDS: Final = 10
KNOWN: Final = 0.99
DEADLINE_MS: Final = 300
LATE_S: Final = 2.0
"""What a request may take besides its deadline on a busy machine, before it counts as one that waited."""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    with one_host() as host:
        yield host


def calls(node: Mesh, server: str) -> int:
    return sum(
        node.stats(server, r"^http\.inbound\.ext_authz\.mixer_(closed|open)\.(ok|denied|error)$").values()
    )


def words_of(number: int) -> str:
    return f"word-{number % KINDS}"


def test_ten_thousand_requests_of_ten_kinds_ask_twenty_times_at_most(host: Host, tell: Tell) -> None:
    with (
        Words(*map(words_of, range(KINDS // 2))) as words,
        Caller(host.node, "caller") as caller,
        host.control.applied(by_policy(words.url, "closed")),
    ):
        before, began = calls(host.node, "echo"), time.monotonic()
        found = [caller.status("/closed", x_word=words_of(number)) for number in range(REQUESTS)]
        took, asked = time.monotonic() - began, calls(host.node, "echo") - before
    tell(f"one worker, one connection: {asked} calls for {REQUESTS} requests, {took:.1f} s")
    assert found == [200 if number % KINDS < KINDS // 2 else 404 for number in range(REQUESTS)]
    assert KINDS <= asked <= 2 * KINDS


def test_with_two_workers_and_many_connections_nearly_all_is_known(host: Host, tell: Tell) -> None:
    two = """
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: two}
spec: {selector: {matchLabels: {workers: two}}, concurrency: 2}
"""
    connections = 32
    with contextlib.ExitStack() as stack:
        words = stack.enter_context(Words(*map(words_of, range(KINDS // 2))))
        stack.enter_context(host.control.applied(two, by_policy(words.url, "closed")))
        label = "--label=workers=two"
        stack.enter_context(host.node.running("wide", app("echo"), label, port="8090:auto"))
        stack.enter_context(host.node.running("many", ("sleep", "3600"), label))

        def client(number: int) -> int:
            with Caller(host.node, "many", "wide:8090") as caller:
                ours = range(number, REQUESTS, connections)
                return sum(
                    caller.status("/closed", x_word=words_of(each))
                    == (200 if each % KINDS < KINDS // 2 else 404)
                    for each in ours
                )

        before = calls(host.node, "wide")
        with ThreadPoolExecutor(connections) as clients:
            right = sum(clients.map(client, range(connections)))
        asked = calls(host.node, "wide") - before
        taken = host.node.stats("wide", r"^listener\.\d.*worker_\d+\.downstream_cx_total$")
    spread = " and ".join(str(each) for each in taken.values() if each)
    tell(f"two workers with {spread} connections: {1 - asked / REQUESTS:.2%} known, {asked} calls")
    assert right == REQUESTS
    assert asked <= REQUESTS * (1 - KNOWN)


def test_a_changed_list_is_obeyed_within_the_time_of_its_answers(host: Host, tell: Tell) -> None:
    caching_s, refresh_s = 3.0, 1.0
    with Words("one") as words, Caller(host.node, "caller") as caller:
        rules = by_policy(words.url, "closed", refresh=f"{refresh_s:.0f}s", caching=f"{caching_s:.0f}s")
        with host.control.applied(rules):

            def within(what: str, word: str, status: int, change: Callable[[], None]) -> None:
                assert caller.status("/closed", x_word=word) != status
                change()
                began = time.monotonic()
                until(lambda: caller.status("/closed", x_word=word) == status, what)
                took = time.monotonic() - began
                tell(
                    f"{what}: after {took:.2f} s (answers hold {caching_s:g} s, the list is read every {refresh_s:g} s)"
                )
                assert took < caching_s + refresh_s + LATE_S

            within("a word that came", "two", 200, lambda: words.say("one", "two"))
            within("a word that went", "one", 404, lambda: words.say("two"))


@pytest.mark.parametrize(("policy", "status"), [("closed", 503), ("open", 200)])
@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_nobody_waits_longer_than_the_deadline(
    host: Host, tell: Tell, fault: str, policy: str, status: int
) -> None:
    path, waits = f"/{policy}", list[float]()
    with (
        Words("one") as words,
        Caller(host.node, "caller") as caller,
        host.control.applied(by_policy(words.url, policy, deadline=f"{DEADLINE_MS}ms")),
    ):
        assert [caller.status(path, x_word=word) for word in ("one", "two")] == [200, 404]
        with without_control_plane(host) if fault == "killed" else standing_still(host):
            for number in range(20):
                began = time.monotonic()
                assert caller.status(path, x_word=f"new-{number}") == status
                waits.append(time.monotonic() - began)
            assert [caller.status(path, x_word=word) for word in ("one", "two")] == [200, 404], "known"
        until(lambda: caller.status(path, x_word="new") == 404, "Mixer is asked again")
    tell(
        f"{fault}, {policy}: {status} after {max(waits) * 1000:.0f} ms at most; the deadline is {DEADLINE_MS} ms"
    )
    assert max(waits) < DEADLINE_MS / 1000 + LATE_S


@contextlib.contextmanager
def standing_still(host: Host) -> Iterator[None]:
    serve = host.control.parts["serve"]
    serve.send(signal.SIGSTOP)
    try:
        yield
    finally:
        serve.send(signal.SIGCONT)
