"""Verdicts kept inside a real Envoy: what is asked again, what is not, and what a broken script lets through."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from immutables import Map

from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.mixer.asked import Place, RequestBag
from proa.core.mixer.reported import ReportBag, read_http_entry
from proa.core.mixer.verdict.keys import Facts
from tests.mesh.programs import until, why_no_envoy
from tests.mesh.verdict_scene import READY_S, Plan, Scene, ask, scene
from tests.ports import held_ports

pytestmark = [
    pytest.mark.mesh,
    pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy()),
]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("one")) as found:
        yield found


def calls_for(
    found: Scene, plan: Plan, requests: list[tuple[str, list[tuple[str, str]]]]
) -> tuple[int, list[int]]:
    """Calls that the requests caused, one after the other on one connection, and their statuses."""
    found.mixer.plan = plan
    before = found.mixer.calls
    with found.connection() as connection:
        statuses = [ask(connection, path, headers).status for path, headers in requests]
    return found.mixer.calls - before, statuses


def test_what_was_asked_before_is_not_asked_again(one: Scene) -> None:
    requests = [(f"/{number}", [("x-kind", f"ask-{number % 10}")]) for number in range(500)]
    calls, statuses = calls_for(one, Plan(references=("request.headers[x-kind]",)), requests)
    assert calls == 10
    assert set(statuses) == {200}


def test_a_refusal_is_kept_and_says_the_same(one: Scene) -> None:
    def judge(facts: Facts) -> int:
        return 429 if facts.headers.get("x-kind") == "bad" else 200

    plan = Plan(references=("request.headers[x-kind]",), judge=judge)
    bad, good = ("/", [("x-kind", "bad")]), ("/", [("x-kind", "good")])
    calls, statuses = calls_for(one, plan, [bad, good, bad, bad, good])
    assert (calls, statuses) == (2, [429, 200, 429, 429, 200])
    with one.connection() as connection:
        kept = ask(connection, "/", bad[1])
        rpc = ask(connection, "/", [*bad[1], ("content-type", "application/grpc")])
    assert (kept.status, kept.body) == (429, b"not today")  # type: ignore[attr-defined]
    assert (rpc.status, rpc.getheader("grpc-status"), rpc.getheader("grpc-message")) == (
        200,
        "7",
        "not today",
    )


def test_an_answer_serves_as_often_and_as_long_as_it_says(one: Scene) -> None:
    plan = Plan(references=("request.headers[x-uses]",), uses=3)
    calls, _ = calls_for(one, plan, [("/", [("x-uses", "a")])] * 9)
    assert calls == 3, "each answer serves the request that asked and three more"
    one.mixer.plan = Plan(references=("request.headers[x-ttl]",), ttl_ms=300)
    before = one.mixer.calls

    def asked_again() -> bool:
        with one.connection() as connection:
            ask(connection, "/", [("x-ttl", "a")])
        return one.mixer.calls - before >= 3

    until(asked_again, "the answer comes to its end")


def test_what_is_absent_is_another_question(one: Scene) -> None:
    requests: list[tuple[str, list[tuple[str, str]]]] = [
        ("/", []),
        ("/", [("x-none", "")]),
        ("/", [("x-none", "-")]),
    ]
    calls, _ = calls_for(one, Plan(references=("request.headers[x-none]",)), requests * 2)
    assert calls == 3


def test_callers_are_told_apart_by_their_certificates(one: Scene) -> None:
    one.mixer.plan = Plan(
        references=("source.labels[version]", "source.principal", "connection.requested_server_name")
    )
    before = one.mixer.calls
    for _ in range(2):
        for identity in [*one.identities[:3], None]:
            for name in ("a.test", "b.test"):
                with one.tls_connection(identity, name) as connection:
                    assert ask(connection).status == ask(connection).status == 200
    assert one.mixer.calls - before == 8


texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
EVERY = (
    *("request.path", "request.method", "request.host", "request.scheme", "request.useragent", "origin.ip"),
    *("request.headers[x-a]", "request.headers[X-B]", "request.auth.principal", "request.auth.audiences"),
    *("request.auth.claims[groups]", "request.auth.claims[level]", "request.auth.claims[none]"),
    *("connection.mtls", "context.protocol"),
)


@settings(max_examples=60, deadline=None)
@given(
    references=st.sets(st.sampled_from(EVERY), min_size=1, max_size=8),
    headers=st.lists(st.tuples(st.sampled_from(["x-a", "x-b", "user-agent"]), texts), max_size=4),
    path=st.text(st.sampled_from("ab/%2,?=:"), max_size=8),
)
def test_the_proxy_and_mixer_put_the_same_key_together(
    one: Scene, references: set[str], headers: list[tuple[str, str]], path: str
) -> None:
    """Else the second request would be asked for again: the first may find an answer to the same question."""
    request = ("/" + path, headers)
    calls, _ = calls_for(one, Plan(references=tuple(references)), [request])
    calls, _ = calls_for(one, Plan(references=tuple(references)), [request])
    assert calls == 0


def test_memory_has_a_bound_and_what_is_used_stays(tmp_path: Path) -> None:
    plan = Plan(references=("request.headers[x-kind]",))
    with scene(tmp_path, entries=20) as found:
        often = ("/", [("x-kind", "often")])
        requests = [each for number in range(200) for each in (often, ("/", [("x-kind", str(number))]))]
        calls, _ = calls_for(found, plan, requests)
        assert calls == 201, "what is asked all the time is kept through every change of generations"
        calls, _ = calls_for(found, plan, [("/", [("x-kind", str(number))]) for number in range(200)])
        assert calls > 150, "the rest is forgotten"


@pytest.mark.parametrize(
    "source",
    [
        "function envoy_on_request(handle) error('broken') end",
        "function envoy_on_request(it) it:streamInfo():dynamicMetadata():set('proa.mixer', 'closed', 'true') end",
        "local x = 1",
    ],
)
def test_whatever_is_wrong_with_the_script_mixer_is_asked(tmp_path: Path, source: str) -> None:
    plan = Plan(references=("request.path",), judge=lambda facts: 403)
    with scene(tmp_path, source=source) as found:
        calls, statuses = calls_for(found, plan, [("/", [])] * 5)
        assert (calls, statuses) == (5, [403] * 5)
        found.mixer.stop()
        with found.connection() as connection:
            assert ask(connection).status == 503, "nobody answers: refused"


def test_rules_of_both_policies_and_a_users_program_are_not_taken_for_one_another(tmp_path: Path) -> None:
    """All leave what they were told under one name in the request's metadata."""

    def judge(facts: Facts) -> int:
        return 403 if facts.headers.get("x-kind") == "bad" else 200

    def opens(facts: Facts) -> int:
        return 429 if facts.headers.get("x-kind") == "busy" else 200

    with scene(tmp_path, policies=("closed", "open"), has_provider=True) as found:
        plan = Plan(references=("request.headers[x-kind]",), judge=judge, opens=opens)
        good, bad, busy = (("/", [("x-kind", kind)]) for kind in ("good", "bad", "busy"))
        calls, statuses = calls_for(found, plan, [good, bad, busy] * 3)
        assert statuses == [200, 403, 429] * 3
        assert calls == 5, (
            "of each kind once, and who is refused by the first is not asked about by the second"
        )
        assert found.mixer.by_policy == {"closed": 3, "open": 2, "provider": 9}
        never = Plan(references=("request.headers[x-kind]",), ttl_ms=600_000, rules="of another time")
        calls, statuses = calls_for(found, never, [("/", [("x-kind", "new")])] * 3)
        assert (calls, statuses) == (6, [200] * 3), "what was decided by other rules is not kept"


@pytest.mark.parametrize(("policy", "refused"), [("closed", 503), ("open", 200)])
def test_when_mixer_does_not_answer_each_policy_decides_in_time(
    tmp_path: Path, policy: FailurePolicy, refused: int
) -> None:
    """What is known is still known; a call that hangs costs its deadline and no more."""
    released = threading.Event()

    def hangs(facts: Facts) -> int:
        if facts.headers.get("x-kind") == "late":
            released.wait(READY_S)
        return 200

    late, known = ("/", [("x-kind", "late")]), ("/", [("x-kind", "known")])
    plan = Plan(references=("request.headers[x-kind]",), judge=hangs)
    with scene(tmp_path, policies=(policy,), deadline_ms=1500) as found:
        assert calls_for(found, plan, [known, late, known])[1] == [200, refused, 200]
        released.set()
        until(lambda: found.stat(f"ext_authz.mixer_{policy}.error") == 1, "it was late")
        found.mixer.stop()
        assert calls_for(found, plan, [late, known])[1] == [refused, 200]


def test_of_several_control_planes_one_that_is_away_costs_nobody_an_answer(tmp_path: Path) -> None:
    with held_ports(1) as away, scene(tmp_path, away=away) as found:
        plan = Plan(references=("request.path",), judge=lambda facts: 200)
        calls, statuses = calls_for(found, plan, [(f"/{number}", []) for number in range(20)])
        assert (calls, set(statuses)) == (20, {200})


def test_many_workers_and_connections_mostly_know(tmp_path: Path) -> None:
    plan = Plan(references=("request.headers[x-kind]",))
    with scene(tmp_path, workers=2) as found:
        found.mixer.plan = plan

        def client(_: int) -> set[int]:
            with found.connection() as connection:
                return {ask(connection, "/", [("x-kind", str(number % 10))]).status for number in range(150)}

        with ThreadPoolExecutor(16) as clients:
            assert set().union(*clients.map(client, range(16))) == {200}
        assert found.mixer.calls <= 16 * 10, (
            "each connection at most once for each kind: then its worker knows"
        )
        assert found.stat("ext_authz.mixer_closed.ok") == found.mixer.calls


def test_reports_say_of_a_request_what_its_check_was_told(tmp_path: Path) -> None:
    """And how it ended. Both come from an Envoy; the two sides of one request must agree."""
    with scene(tmp_path) as found:
        found.mixer.plan = Plan(references=("request.path",), judge=lambda facts: 403)
        with found.tls_connection(found.identities[1], "a.test") as connection:
            for _ in range(2):
                assert ask(connection, "/reported?x=1", [("x-a", "b"), ("user-agent", "test")]).status == 403
        until(lambda: len(found.mixer.entries) == 2, "both are reported")
    (asked,) = found.mixer.asked
    first, again = (read_http_entry(entry) for entry in found.mixer.entries)
    checked, reported = (
        RequestBag(asked, Place(), None),
        ReportBag(*first, Map({"destination.name": "web"})),
    )
    for name in (
        *("request.path", "request.method", "request.host", "request.scheme", "request.useragent"),
        *("source.principal", "origin.ip", "connection.mtls", "connection.requested_server_name"),
        *("request.auth.principal", "request.auth.claims", "request.auth.audiences", "context.protocol"),
    ):
        assert reported.get(name) == checked.get(name), name
        assert reported.get(name) is not None or name == "request.useragent"
    assert first[0].workload == asked.workload == "api.x.shop.workload.cluster.local"
    headers = reported.get("request.headers")
    assert isinstance(headers, dict)
    assert headers["x-a"] == "b"
    assert reported.get("destination.name") == "web"
    assert reported.get("response.code") == 403
    assert reported.get("response.size") == len(b"not today")
    assert (reported.get("check.error_code"), reported.get("check.error_message")) == (7, "not today")
    assert [ReportBag(*each, {}).get("check.cache_hit") for each in (first, again)] == [
        False,
        True,
    ]
    assert ReportBag(*again, {}).get("check.error_code") == 7
