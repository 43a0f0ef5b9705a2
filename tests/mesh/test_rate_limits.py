"""What a real Envoy tells of requests for quotas: the same as for checks, and nothing that callers can feign."""

from collections.abc import Iterator

import pytest

from proa.core.mixer.asked import Place, RequestBag
from proa.core.mixer.needs import Charged
from tests.mesh.programs import why_no_envoy
from tests.mesh.verdict_scene import Plan, Scene, ask, scene

pytestmark = [
    pytest.mark.mesh,
    pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy()),
]

PARTS = (
    *(
        "a",
        "c:aud",
        "c:iss",
        "c:level",
        "c:none",
        "c:sub",
        "h::authority",
        "h::method",
        "h::path",
        "h::scheme",
    ),
    *("h:x-a", "h:x-b", "i", "j", "l:aud", "l:groups", "m", "s", "u", "w"),
)
ALL = Charged(quota="all", specs=(), rules=(), policy="open", deadline_ms=10_000, parts=PARTS)
SOME = Charged(
    quota="some",
    specs=(),
    rules=(),
    policy="closed",
    deadline_ms=10_000,
    parts=("i", "m"),
    asked='request.headers["x-some"] == "yes"',
)
COMPARED = (
    *("request.host", "request.path", "request.method", "request.scheme", "source.principal", "source.ip"),
    *(
        "request.auth.principal",
        "request.auth.audiences",
        "connection.mtls",
        "connection.requested_server_name",
    ),
)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("charged"), charged=(ALL, SOME)) as found:
        found.mixer.plan = Plan(references=(), uses=0)  # nothing is kept: every request is asked about
        yield found


def told(found: Scene, headers: list[tuple[str, str | bytes]], who: int | None) -> dict[str, str]:
    """One request: what both filters say of it, which has to be the same. Its `x-` headers."""
    found.mixer.charged.clear()
    found.mixer.asked.clear()
    identity = None if who is None else found.identities[who]
    with found.tls_connection(identity, "some.name") as connection:
        connection.putrequest("GET", "/a?b=c")
        for name, value in headers:
            connection.putheader(name, value if isinstance(value, bytes) else value.encode())
        connection.endheaders()
        connection.getresponse().read()
    ((charged, name),), (checked,) = found.mixer.charged, found.mixer.asked
    assert name
    first, second = RequestBag(charged, Place(), None), RequestBag(checked, Place(), None)
    assert [first.get(each) for each in COMPARED] == [second.get(each) for each in COMPARED]
    assert charged.workload == checked.workload
    claims = [bag.get("request.auth.claims") for bag in (first, second)]
    kept = [
        {key: each.get(key) for key in ("aud", "level", "none", "sub")}
        for each in claims
        if isinstance(each, dict)
    ]
    assert len(kept) == 2
    assert kept[0] == kept[1]
    own = [
        {key: text for key, text in each.headers.items() if key.startswith("x-")}
        for each in (charged, checked)
    ]
    assert {key: own[1].get(key) for key in own[0]} == own[0]
    return own[0]


@pytest.mark.parametrize("who", [None, 0, 1])
@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ([], {}),
        ([("x-a", "")], {"x-a": ""}),
        ([("x-a", "1"), ("x-a", "2"), ("x-b", '%,"')], {"x-a": "1,2", "x-b": '%,"'}),
        ([("x-a", b"a\xff\xc3b")], {"x-a": "a!!b"}),
        ([("x-forwarded-for", "9.9.9.9"), ("x-request-id", "again"), ("u", "spiffe://a/b")], {}),
    ],
)
def test_quotas_are_told_what_checks_are(
    one: Scene, headers: list[tuple[str, str | bytes]], known: dict[str, str], who: int | None
) -> None:
    assert told(one, headers, who) == known


def test_no_two_requests_are_the_same(one: Scene) -> None:
    one.mixer.charged.clear()
    with one.connection() as connection:
        for _ in range(5):
            ask(connection, headers=[("x-request-id", "always the same")])
    assert len({name for _, name in one.mixer.charged}) == 5


def test_who_owes_nothing_is_not_asked_about(one: Scene) -> None:
    one.mixer.charged.clear()
    with one.connection() as connection:
        for value in ("no", "yes", ""):
            ask(connection, headers=[("x-some", value)])
    assert len(one.mixer.charged) == 3 + 1
