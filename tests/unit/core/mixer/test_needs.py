"""What rules want of one proxy: nothing where they cannot match."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.config import Config
from proa.core.mixer.api_specs import apis_for
from proa.core.mixer.asked import Asked, Place, RequestBag
from proa.core.mixer.needs import STREAMS, Needs, checks_digest, needs_of, rules_met, stream_checks_of
from proa.core.mixer.plan.dispatch import checks
from proa.core.mixer.plan.in_force import InForce, compile_in_force
from proa.testing.mixer import all_run, mixer_config, rule

RUN = all_run()
ROOT = "istio-system"
OBJECTS = (
    mixer_config("denier", "no", {}, ROOT),
    mixer_config("denier", "slow", {}, ROOT, {"proa.dev/deadline": "2s"}),
    mixer_config("memquota", "limits", {}, ROOT),
    mixer_config("stdio", "out", {}, ROOT),
    mixer_config("kubernetesenv", "pods", {}, ROOT, {"proa.dev/deadline": "300ms"}),
    mixer_config("checknothing", "any", {}, ROOT),
    mixer_config("quota", "requests", {"dimensions": {"who": "source.user"}}, ROOT),
    mixer_config(
        "kubernetes", "who", {"attribute_bindings": {"destination.labels": "$out.destination_labels"}}, ROOT
    ),
    mixer_config(
        "logentry",
        "line",
        {
            "severity": '"info"',
            "variables": {
                "agent": 'request.headers["User-Agent"] | ""',
                "kind": 'response.headers["content-type"] | ""',
            },
        },
        ROOT,
    ),
)
ATTRIBUTES: dict[str, Value] = {
    "destination.namespace": "shop",
    "destination.name": "web-1",
    "destination.labels": Map({"app": "web", "version": "v2"}),
    "destination.service.host": "web.shop.svc.cluster.local",
    "destination.service.name": "web",
    "context.reporter.kind": "inbound",
}
PLACE = Place(attributes=Map(ATTRIBUTES))


NOOP = mixer_config("noop", "none", {}, ROOT)


def in_force(*objects: Config) -> InForce:
    return compile_in_force((*OBJECTS, *objects), RUN, None, ROOT)[0]


def deny(
    match: str, name: str = "deny", namespace: str = "shop", handler: str = "no.denier", **notes: str
) -> Config:
    annotations = {f"proa.dev/{key.replace('_', '-')}": value for key, value in notes.items()}
    return rule(name, handler, "any.checknothing", match=match, namespace=namespace, annotations=annotations)


def deny_in_cel(match: str) -> Config:
    return rule("deny", "no.denier", "any.checknothing", match=match, namespace="shop", kind="MixerRule")


@pytest.mark.parametrize(
    "match",
    [
        'destination.labels["app"] == "api"',
        'destination.labels["tier"] == "front"',
        'destination.service.host == "api.shop.svc.cluster.local"',
        'destination.name.startsWith("api") && request.method == "GET"',
        'destination.owner == "x"',
        'destination.owner == "x" && request.method == "GET"',
        'request.method == "GET" && destination.owner.startsWith("x")',
        '(destination.owner == "x") || (destination.name == "other")',
        'context.reporter.kind == "outbound"',
        'context.protocol == "tcp"',
        "false",
    ],
)
def test_a_rule_that_cannot_match_here_costs_nothing(match: str) -> None:
    assert needs_of(in_force(deny(match)), PLACE) == Needs()


@pytest.mark.parametrize(
    ("match", "left"),
    [
        ("", False),
        ("true", False),
        ('destination.labels["app"] == "web"', False),
        ('context.reporter.kind == "inbound"', False),
        ('destination.labels["app"] == "web" && source.labels["version"] == "v3"', True),
        ('(destination.owner | "nobody") == "nobody" && request.method == "GET"', True),
        ('request.method == "GET" || destination.owner == "x"', True),
        ('context.protocol == "grpc"', True),
        ('destination.service.host == "web.shop.svc.cluster.local" && request.method == "GET"', True),
    ],
)
def test_of_one_that_can_match_what_is_left_is_of_the_request_alone(match: str, left: bool) -> None:
    rules = in_force(deny(match))
    (met,) = rules_met(rules.plan, PLACE, "check")
    assert (met.match is not None) == left
    (found,) = needs_of(rules, PLACE).checks
    assert (found.policy, found.deadline_ms) == ("closed", 500)


def test_rules_of_other_namespaces_do_not_count_and_those_of_the_root_do() -> None:
    assert not needs_of(in_force(deny("", namespace="bank")), PLACE)
    found = needs_of(in_force(deny("", namespace=ROOT), deny("", "mine")), PLACE)
    rules = found.checks[0].rules
    assert [(ref.namespace, ref.name) for ref in rules] == [(ROOT, "deny"), ("shop", "mine")]


def test_policies_are_asked_for_apart_each_as_long_as_its_slowest_handler() -> None:
    found = needs_of(
        in_force(deny("", "a"), deny("", "b", handler="slow.denier", failure_policy="open")), PLACE
    ).checks
    assert [(each.policy, each.deadline_ms) for each in found] == [("closed", 500), ("open", 2000)]


def test_the_digest_is_of_all_that_an_answer_follows_from() -> None:
    def digest(*objects: Config) -> str:
        rules = in_force(*objects)
        (found,) = needs_of(rules, PLACE).checks
        assert found.digest == checks_digest(rules.plan, PLACE)
        return found.digest

    entry = [
        mixer_config("listentry", "entry", {"value": text}, "shop")
        for text in ("request.path", "request.method")
    ]
    words = [mixer_config("listchecker", "words", {"overrides": [word]}, "shop") for word in ("a", "b")]
    on_list = rule("list", "words.listchecker", "entry.listentry", namespace="shop")
    first = digest(on_list, entry[0], words[0])
    assert first == digest(words[0], on_list, entry[0], deny("", namespace="bank"))
    others = (
        digest(on_list, entry[1], words[0]),
        digest(on_list, entry[0], words[1]),
        digest(on_list, entry[0], words[0], deny("")),
        digest(
            rule(
                "list",
                "words.listchecker",
                "entry.listentry",
                match="request.path == request.host",
                namespace="shop",
            ),
            entry[0],
            words[0],
        ),
    )
    assert len({first, *others}) == 5


def test_what_generators_tell_is_not_known_before_and_takes_its_time() -> None:
    learning = rule("learn", "pods.kubernetesenv", "who.kubernetes", namespace=ROOT)
    found = needs_of(in_force(learning, deny('destination.labels["app"] == "api"')), PLACE)
    assert [each.deadline_ms for each in found.checks] == [800]


def test_streams_meet_other_rules() -> None:
    rules = in_force(deny('context.protocol == "tcp"', "a"), deny('context.protocol == "http"', "b"))
    assert [each.rule.ref.name for each in rules_met(rules.plan, PLACE, "check", STREAMS)] == ["a"]
    (found,) = stream_checks_of(rules, PLACE)
    assert [each.name for each in found.rules] == ["a"]
    assert stream_checks_of(in_force(), PLACE) == ()


def charge(services: list[dict[str, str]]) -> tuple[Config, ...]:
    spec = {"rules": [{"quotas": [{"quota": "Requests", "charge": 1}, {"quota": "none", "charge": 1}]}]}
    binding = {"quotaSpecs": [{"name": "s"}], "services": services}
    return (
        mixer_config("QuotaSpec", "s", spec, "shop"),
        mixer_config("QuotaSpecBinding", "b", binding, "shop"),
        rule("count", "limits.memquota", "requests.quota", namespace="shop"),
    )


def test_quotas_are_charged_where_a_binding_names_the_service() -> None:
    (found,) = needs_of(in_force(*charge([{"name": "web"}])), PLACE).charges
    assert (found.quota, found.policy, found.deadline_ms) == ("requests", "open", 500)
    assert [ref.name for ref in (*found.specs, *found.rules)] == ["s", "count"]
    assert not needs_of(in_force(*charge([{"name": "api"}])), PLACE)


def log(match: str = "") -> Config:
    return rule("log", "out.stdio", "line.logentry", match=match, namespace="shop")


def test_reports_want_the_headers_that_their_expressions_read() -> None:
    found = needs_of(in_force(log('request.headers["X-Kind"] == "a"')), PLACE).reports
    assert found is not None
    assert (found.request_headers, found.response_headers) == (("user-agent", "x-kind"), ("content-type",))
    assert not found.has_spans
    in_cel = rule(
        "log",
        "out.stdio",
        "line.logentry",
        match='has(request.headers["X-A"]) || request.headers.b == "c"',
        namespace="shop",
        kind="MixerRule",
    )
    found = needs_of(in_force(in_cel), PLACE).reports
    assert found is not None
    assert found.request_headers == ("b", "user-agent", "x-a")
    anything = needs_of(in_force(log('request.headers[request.method] == "a"')), PLACE).reports
    assert anything is not None
    assert anything.request_headers is None


MATCHES = (
    *('destination.labels["app"] == "web"', 'destination.labels["app"] == "api"', 'destination.owner == "x"'),
    *('request.method == "GET"', 'request.path.startsWith("/a")', 'source.namespace == "x"'),
    *('(destination.owner | "") == ""', 'destination.service.name == "web"', '(source.name | "b") == "b"'),
)
IN_CEL = (
    *('destination.labels.app == "web"', 'destination.labels.none == "a"', 'destination.owner == "x"'),
    *(
        'request.method in ["GET"]',
        "has(destination.owner)",
        "has(destination.labels.app)",
        "has(source.name)",
    ),
    *('"app" in source.labels', 'request.headers["x-none"] == "a"', "has(request.headers.none)"),
)


def _joined(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.tuples(below, st.sampled_from(["&&", "||"]), below)
    return joined.map(lambda each: f"({' '.join(each)})")


rules_drawn = st.one_of(
    st.recursive(st.sampled_from(MATCHES), _joined, max_leaves=5).map(deny),
    st.recursive(
        st.sampled_from(IN_CEL), lambda below: _joined(below) | below.map("!({})".format), max_leaves=5
    ).map(deny_in_cel),
)


@given(
    drawn=rules_drawn,
    headers=st.fixed_dictionaries(
        {":method": st.sampled_from(["GET", "PUT"]), ":path": st.sampled_from(["/a", "/b"])}
    ),
)
def test_whatever_needs_nothing_is_never_asked(drawn: Config, headers: Mapping[str, str]) -> None:
    rules = in_force(drawn)
    asked = checks(rules.plan, RequestBag(Asked(headers=headers), PLACE, None)).calls
    met = tuple(rules_met(rules.plan, PLACE, "check"))
    assert bool(needs_of(rules, PLACE)) == bool(met)
    if asked:
        assert met
    if met and met[0].match is None:
        assert asked


def test_a_place_without_anything_meets_what_is_for_all() -> None:
    nowhere: Map[str, Value] = Map()
    assert needs_of(in_force(deny("", namespace=ROOT)), Place(attributes=nowhere))


def test_spans_want_places_in_traces_and_all_that_tells_of_them() -> None:
    span = mixer_config("tracespan", "span", {"traceId": 'request.headers["x-b3-traceid"]'}, ROOT)
    found = needs_of(
        in_force(span, rule("spans", "none.noop", "span.tracespan", namespace=ROOT), NOOP), PLACE
    ).reports
    assert found is not None
    assert found.has_spans
    assert found.request_headers == ("b3", "traceparent", "x-b3-traceid")


def spec(*attributes: tuple[str, str], keys: tuple[Mapping[str, str], ...] = ()) -> tuple[Config, ...]:
    """For all services: those of the requests to `/a`, and `api.service` for all."""
    of_some = {"attributes": {name: {"stringValue": value} for name, value in attributes}}
    told = {
        "attributes": {"attributes": {"api.service": {"stringValue": "shop"}}},
        "patterns": [{"httpMethod": "*", "uriTemplate": "/a", "attributes": of_some}],
        "apiKeys": list(keys),
    }
    binding = {"apiSpecs": [{"name": "api"}], "services": [{"service": "*"}]}
    return (
        mixer_config("HTTPAPISpec", "api", told, "shop"),
        mixer_config("HTTPAPISpecBinding", "b", binding, "shop"),
    )


def placed(rules: InForce) -> Place:
    told = apis_for(rules.apis, "web.shop.svc.cluster.local")
    return Place(attributes=Map({**told.constants, **ATTRIBUTES}), apis=told)


def test_what_no_spec_tells_is_absent_and_what_one_tells_of_all_is_known() -> None:
    bound = spec(("api.operation", "read"))
    matches = ('api.operation == "read"', 'api.service == "shop"', 'api.service == "b"', 'api.version == "1"')
    needing = []
    for match in matches:
        rules = in_force(deny(match), *bound)
        assert not needs_of(rules, PLACE)
        needing.append(bool(needs_of(rules, placed(rules))))
    assert needing == [True, True, False, False]


def test_a_spec_that_changes_makes_other_verdicts() -> None:
    digests = set()
    for operation in ("read", "write"):
        rules = in_force(deny('api.operation == "read"'), *spec(("api.operation", operation)))
        digests.add(needs_of(rules, placed(rules)).checks[0].digest)
    assert len(digests) == 2


def test_proxies_tell_what_specs_are_matched_by() -> None:
    keyed = mixer_config("quota", "requests", {"dimensions": {"key": 'request.api_key | ""'}}, ROOT)
    bound = spec(("api.operation", "read"), keys=({"header": "X-Key"}, {"cookie": "k"}))
    objects = (each for each in OBJECTS if each.ref != keyed.ref)
    matching = 'api.operation == "read" && request.api_key != ""'
    counting = rule("count", "limits.memquota", "requests.quota", namespace="shop", match=matching)
    configs = (*objects, keyed, *bound, *charge([{"name": "web"}])[:2], counting, log(matching))
    rules = compile_in_force(configs, RUN, None, ROOT)[0]
    needs = needs_of(rules, placed(rules))
    assert needs.reports is not None
    assert needs.reports.request_headers == ("cookie", "user-agent", "x-key")
    (charged,) = needs.charges
    assert {"h::path", "h::method", "h:x-key", "h:cookie"} <= set(charged.parts)
    assert (charged.asked, charged.bucket) == ("", None)
