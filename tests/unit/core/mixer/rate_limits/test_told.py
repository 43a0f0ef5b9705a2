"""What a place's charges are reckoned from, seen through `needs_of`, and when a proxy counts by itself."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.config import Config
from proa.core.mixer.asked import Asked, Party, Place, RequestBag
from proa.core.mixer.needs import Charged, needs_of
from proa.core.mixer.plan.dispatch import NOTHING, charges
from proa.core.mixer.plan.in_force import InForce, compile_in_force
from proa.core.mixer.plan.service_charges import owed_for
from proa.core.mixer.rate_limits.told import Bucket
from proa.testing.mixer import all_run, mixer_config, rule

HOST = "page.default.svc.cluster.local"
ATTRIBUTES: dict[str, Value] = {
    **Party(name="page-1", namespace="default", labels=Map({"app": "page"})).attributes("destination"),
    "destination.service.host": HOST,
    "context.reporter.kind": "inbound",
}
PLACE = Place(attributes=Map(ATTRIBUTES))
PER_INSTANCE = {"proa.dev/limit": "per-instance"}


def handler(
    amount: int = 6, window: str = "3s", annotations: Mapping[str, str] | None = None, kind: str = "memquota"
) -> Config:
    quota = {"name": "requests.quota.default", "maxAmount": amount, "validDuration": window}
    spec: dict[str, object] = {"quotas": [quota]}
    if kind == "redisquota":
        spec["redisServerUrl"] = "127.0.0.1:6379"
    return mixer_config(kind, "limits", spec, annotations=annotations)


def instance(**dimensions: str) -> Config:
    return mixer_config("quota", "requests", {"dimensions": dimensions})


def spec(*amounts: int, clause: str = "") -> tuple[Config, Config]:
    match = {"match": [{"clause": {clause: {"exact": "x"}}}]} if clause else {}
    rules = [{"quotas": [{"quota": "Requests", "charge": amount}], **match} for amount in amounts or (1,)]
    bound = {"quotaSpecs": [{"name": "s"}], "services": [{"name": "page"}]}
    return mixer_config("QuotaSpec", "s", {"rules": rules}), mixer_config("QuotaSpecBinding", "b", bound)


def counting(match: str = "", annotations: Mapping[str, str] | None = None, kind: str = "memquota") -> Config:
    return rule("count", f"limits.{kind}", "requests.quota", match=match, annotations=annotations)


def in_force(*objects: Config) -> InForce:
    return compile_in_force(objects, all_run(), None, "istio-system")[0]


def charged(*objects: Config) -> Charged:
    (found,) = needs_of(in_force(*objects), PLACE).charges
    return found


def test_parts_are_what_dimensions_matches_and_clauses_read() -> None:
    found = charged(
        handler(),
        instance(who='request.headers["X-Who"] | source.name | "nobody"', what='destination.labels["app"]'),
        *spec(clause="request.method"),
        counting('match(request.headers["cookie"], "user=*") == false'),
    )
    assert found.parts == ("h::method", "h:cookie", "h:x-who", "i", "m", "u", "w")


def test_who_is_not_charged_need_not_ask() -> None:
    found = charged(handler(), instance(), *spec(), counting('request.headers["x-free"] != "yes"'))
    assert found.asked == '((("x-free" in request.headers) ? request.headers["x-free"] : "") != "yes")'
    assert charged(handler(), instance(), *spec(), counting()).asked == ""
    assert charged(handler(), instance(), *spec(), counting('source.ip == ip("10.0.0.1")')).asked == ""


def test_of_two_rules_one_may_match() -> None:
    other = rule("other", "limits.memquota", "requests.quota", match='request.method == "PUT"')
    found = charged(handler(), instance(), *spec(), counting('request.method == "GET"'), other)
    assert found.asked == '((request.method == "GET") || (request.method == "PUT"))'


def test_a_limit_per_instance_is_counted_in_the_proxy() -> None:
    where = instance(app='destination.labels["app"]', fixed='"x"')
    found = charged(handler(annotations=PER_INSTANCE), where, *spec(), counting())
    assert found.bucket == Bucket(tokens=6, fill_ms=3000)
    twice = charged(handler(annotations=PER_INSTANCE), where, *spec(1, 1), counting())
    assert twice.bucket == Bucket(tokens=3, fill_ms=3000)
    short = charged(handler(window="500ms", annotations=PER_INSTANCE), where, *spec(), counting())
    assert short.bucket == Bucket(tokens=6, fill_ms=1000), "as memquota counts it"


@pytest.mark.parametrize(
    "objects",
    [
        (handler(), instance(), *spec(), counting()),
        (handler(annotations=PER_INSTANCE), instance(who="source.name"), *spec(), counting()),
        (handler(annotations=PER_INSTANCE), instance(), *spec(), counting('request.method == "GET"')),
        (handler(annotations=PER_INSTANCE), instance(), *spec(clause="request.method"), counting()),
        (handler(annotations=PER_INSTANCE), instance(), *spec(9), counting()),
        (handler(window="0s", annotations=PER_INSTANCE), instance(), *spec(), counting()),
        (
            handler(annotations=PER_INSTANCE),
            instance(),
            *spec(),
            counting(annotations={"proa.dev/dry-run": "true"}),
        ),
        (handler(annotations={**PER_INSTANCE, "proa.dev/dry-run": "true"}), instance(), *spec(), counting()),
        (
            handler(annotations=PER_INSTANCE, kind="redisquota"),
            instance(),
            *spec(),
            counting(kind="redisquota"),
        ),
    ],
)
def test_everything_else_is_counted_centrally(objects: tuple[Config, ...]) -> None:
    assert charged(*objects).bucket is None


MATCHES = (
    *("", 'request.method == "GET"', 'request.headers["x"] == "a"', 'source.name == "cart"'),
    *('destination.labels["app"] == "page"', 'request.headers["x"] == "a" || request.method == "PUT"'),
)
DIMENSIONS = (
    *('request.headers["x"]', 'source.labels["app"] | "none"', "request.path", 'destination.labels["app"]'),
    *('(request.headers["y"] | request.host) | "z"', "request.auth.principal | source.user"),
)


@given(
    st.sampled_from(MATCHES),
    st.lists(st.sampled_from(DIMENSIONS), max_size=3),
    st.sampled_from(["", "request.path", "source.user"]),
    st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(["a", "b", ""]) for name in ("x", "y", ":path")}
    ),
)
def test_all_that_a_charge_depends_on_is_told(
    match: str, dimensions: list[str], clause: str, headers: dict[str, str]
) -> None:
    """What dispatch reads of a request, with what QuotaSpecs read, is among the parts."""
    rules = in_force(
        handler(),
        instance(**{f"d{number}": text for number, text in enumerate(dimensions)}),
        *spec(clause=clause),
        counting(match),
    )
    found = needs_of(rules, PLACE).charges
    bag = RequestBag(Asked(headers={":method": "GET", **headers}), PLACE, None)
    owed = owed_for(rules.charges, HOST, bag)
    dispatched = charges(rules.plan, bag, NOTHING, "requests")
    read = [
        each
        for each in (*owed.references, *dispatched.references)
        if not each.name.startswith("destination.")
    ]
    headers_read = {f"h:{each.key}" for each in read if each.name == "request.headers" and each.key}
    if dispatched.calls and owed.amounts:
        assert found
    for each in found:
        assert headers_read <= set(each.parts)
