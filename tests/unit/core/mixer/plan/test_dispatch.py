"""Calls of a plan, by examples and against a dispatcher that looks at every rule for every request."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.config import Config
from proa.core.config.mixer.templates import Variety
from proa.core.expression.tracing import Reference
from proa.core.mixer.formulas import Layered
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.dispatch import (
    NOTHING,
    Dispatched,
    charges,
    checks,
    generators,
    learn,
    reports,
    rules_met,
)
from proa.core.mixer.plan.values import DispatchPlan, RulePlan
from proa.core.mixer.templates import build
from proa.testing.mixer import all_run, mixer_config, rule

RUN = all_run()
OBJECTS = (
    mixer_config("denier", "no", {}, "istio-system"),
    mixer_config("noop", "sink", {}, "istio-system"),
    mixer_config("memquota", "limits", {}, "istio-system"),
    mixer_config("kubernetesenv", "pods", {}, "istio-system"),
    mixer_config("checknothing", "any", {}, "istio-system"),
    mixer_config("listentry", "version", {"value": 'source.labels["version"]'}, "istio-system"),
    mixer_config("listentry", "user", {"value": "source.user"}, "istio-system"),
    mixer_config("quota", "requests", {"dimensions": {"who": 'source.user | "nobody"'}}, "istio-system"),
    mixer_config(
        "metric", "count", {"value": "1", "dimensions": {"to": "destination.service.host"}}, "istio-system"
    ),
    mixer_config(
        "kubernetes",
        "who",
        {
            "source_uid": 'source.uid | ""',
            "attribute_bindings": {
                "source.labels": "$out.source_labels",
                "source.name": '$out.source_pod_name | "none"',
                "source.owner": "$out.source_owner",
            },
        },
        "istio-system",
    ),
)
REQUEST: dict[str, Value] = {
    "destination.namespace": "shop",
    "destination.service.host": "a.shop",
    "context.protocol": "http",
    "source.user": "u",
}


def plan_of(*rules: Config) -> DispatchPlan:
    found = compile_plan([*OBJECTS, *rules], RUN)
    assert found.messages == ()
    return found.plan


def said(found: Dispatched) -> list[str]:
    return [f"{each.call.rule.name} {each.call.action.instance.partition('.')[0]}" for each in found.calls]


def test_rules_of_the_servers_namespace_count_and_those_of_the_root_come_first() -> None:
    plan = plan_of(
        rule("a", "no", "any", namespace="shop"),
        rule("z", "no", "any", namespace="istio-system"),
        rule("b", "no", "any", namespace="other"),
        rule("c", "sink", "version", namespace="client"),
    )
    assert said(checks(plan, REQUEST)) == ["z any"]
    assert [each.ref.name for each in rules_met(plan, REQUEST, "check")[0]] == ["z", "a"]
    outbound = {**REQUEST, "context.reporter.kind": "outbound", "source.namespace": "client"}
    assert [each.ref.name for each in rules_met(plan, outbound, "check")[0]] == ["z", "c"]
    assert [each.ref.name for each in rules_met(plan, {}, "check")[0]] == ["z"]


def test_an_instance_is_made_of_the_request() -> None:
    plan = plan_of(rule("a", "sink", "user", "version", namespace="shop"))
    one, other = checks(plan, REQUEST).calls
    assert one.instance is not None
    assert one.instance.fields == Map({"value": "u"})
    assert one.instance.short_name == "user"
    assert other.instance is None
    assert other.failure is not None
    assert other.failure.code == 13
    assert "value of version.listentry.istio-system cannot be told: lookup failed" in other.failure.reason


def test_a_match_that_cannot_be_evaluated_does_not_match_and_is_told() -> None:
    plan = plan_of(rule("a", "no", "any", match="request.size == 5", namespace="shop"))
    found = checks(plan, REQUEST)
    assert found.calls == ()
    assert [(each.ref.name, why) for each, why in found.unmatched] == [("a", "lookup failed: 'request.size'")]


def test_quotas_are_found_by_their_short_name_in_any_case() -> None:
    plan = plan_of(rule("a", "limits", "requests", namespace="shop"))
    (asked,) = charges(plan, REQUEST, NOTHING, "Requests").calls
    assert asked.instance is not None
    assert asked.instance.texts("dimensions") == Map(who="u")
    assert asked.call.policy == "open"
    assert charges(plan, REQUEST, NOTHING, "other").calls == ()
    assert checks(plan, REQUEST).calls == ()


def test_a_check_is_asked_once_and_closed_if_one_rule_says_so_a_report_for_each_rule() -> None:
    opened = {"proa.dev/failure-policy": "open"}
    plan = plan_of(
        rule("a", "sink", "user", "count", namespace="shop", annotations=opened),
        rule("b", "sink", "user", "count", namespace="shop"),
    )
    (asked,) = checks(plan, REQUEST).calls
    assert (asked.call.rule.name, asked.call.policy) == ("a", "closed")
    assert said(reports(plan, REQUEST)) == ["a count", "b count"]


def test_a_proxy_asks_for_rules_that_fail_closed_apart_from_those_that_fail_open() -> None:
    """And what is read for the others is nothing that its verdict depends on."""
    opened = {"proa.dev/failure-policy": "open"}
    plan = plan_of(
        rule("a", "sink", "user", match='request.path == "/a"', namespace="shop", annotations=opened),
        rule("b", "no", "any", "user", match='request.method == "GET"', namespace="shop"),
    )
    bag: dict[str, Value] = {**REQUEST, "request.path": "/a", "request.method": "GET"}
    closed, open_ = checks(plan, bag, policy="closed"), checks(plan, bag, policy="open")
    assert (said(closed), said(open_)) == (["b any", "b user"], ["a user"])
    assert not any(each.name == "request.path" for each in closed.references)
    assert not any(each.name == "request.method" for each in open_.references)


def test_what_generators_tell_can_be_matched_and_is_no_reference() -> None:
    plan = plan_of(
        rule("a", "pods", "who", namespace="istio-system"),
        rule("b", "no", "any", match='source.labels["version"] == "v3"', namespace="shop"),
    )
    (asked,) = generators(plan, REQUEST).calls
    assert asked.instance is not None
    assert asked.instance.fields == Map({"source_uid": ""})
    learned = learn(plan, asked.call, Map({"source_labels": Map(version="v3")}), REQUEST)
    assert learned == Map({"source.labels": Map(version="v3"), "source.name": "none"})
    found = checks(plan, REQUEST, learned)
    assert said(found) == ["b any"]
    assert not any(each.name == "source.labels" for each in found.references)
    assert checks(plan, REQUEST).calls == ()
    assert Reference("source.labels", None, "absent") in checks(plan, REQUEST).references


MATCHES = (
    "",
    "true",
    'destination.service.host == "a.shop"',
    'destination.service.host == "b.shop" && context.protocol == "http"',
    '(destination.service.host == "a.shop" || destination.service.host == "b.shop") && source.user == "u"',
    'destination.service.host == "a.shop" || request.path == "/x"',
    'context.protocol == "tcp"',
    'destination.labels["app"] == ""',
    'destination.labels["app"] == "a" && request.path != "/x"',
    '(request.path | "/y") == "/y"',
    'destination.service.name == "b" || destination.service.name == "a"',
)
CALLS = (("no", "any"), ("sink", "user"), ("sink", "version"), ("limits", "requests"), ("sink", "count"))
rules = st.lists(
    st.tuples(
        st.sampled_from(MATCHES),
        st.sampled_from(CALLS),
        st.sampled_from(["shop", "istio-system", "other"]),
        st.sampled_from([None, "open", "closed"]),
    ),
    max_size=8,
)
requests: st.SearchStrategy[dict[str, Value]] = st.fixed_dictionaries(
    {},
    optional={
        "destination.namespace": st.sampled_from(["shop", "other", "istio-system"]),
        "source.namespace": st.sampled_from(["shop", "other"]),
        "context.reporter.kind": st.sampled_from(["inbound", "outbound"]),
        "context.protocol": st.sampled_from(["http", "tcp"]),
        "destination.service.host": st.sampled_from(["a.shop", "b.shop"]),
        "destination.service.name": st.sampled_from(["a", "b", "c"]),
        "destination.labels": st.sampled_from([Map(), Map(app="a"), Map(app="")]),
        "source.labels": st.sampled_from([Map(), Map(version="v1")]),
        "source.user": st.sampled_from(["u", "v"]),
        "request.path": st.sampled_from(["/x", "/y"]),
    },
)
Drawn = list[tuple[str, tuple[str, str], str, str | None]]


def written(drawn: Drawn, prefix: str = "r") -> list[Config]:
    return [
        rule(
            f"{prefix}{number}",
            handler,
            instance,
            match=match,
            namespace=namespace,
            annotations={"proa.dev/failure-policy": policy} if policy else {},
        )
        for number, (match, (handler, instance), namespace, policy) in enumerate(drawn)
    ]


def naive(
    plan: DispatchPlan, bag: Mapping[str, Value], variety: Variety
) -> tuple[list[tuple[str, str, str]], set[str]]:
    """Every rule in the order of names, every match evaluated: calls, and the references of all that was evaluated."""
    outbound = bag.get("context.reporter.kind") == "outbound"
    namespace = bag.get("source.namespace" if outbound else "destination.namespace")
    every: list[RulePlan] = [
        each
        for place in dict.fromkeys(("istio-system", str(namespace)))
        for each in (plan.rules[place].rules if place in plan.rules else ())
    ]
    called: list[tuple[str, str, str]] = []
    depends: set[str] = set()
    for each in every:
        if each.match is not None:
            found = each.match.trace(Layered(bag, Map()))
            depends |= {str(reference) for reference in found.references}
            if found.value is not True:
                continue
        for action in each.actions:
            if action.variety == variety:
                built = build(plan.instances[action.instance], bag)
                depends |= {str(reference) for reference in built.references}
                called.append((each.ref.name, action.handler, action.instance))
    return called, depends


@settings(max_examples=150, deadline=None)
@given(rules, requests)
def test_it_dispatches_what_a_naive_one_dispatches(drawn: Drawn, bag: dict[str, Value]) -> None:
    plan = plan_of(*written(drawn))
    found = reports(plan, bag)
    expected, depends = naive(plan, bag, "report")
    assert [
        (each.call.rule.name, each.call.action.handler, each.call.action.instance) for each in found.calls
    ] == expected
    once = checks(plan, bag)
    expected, depends = naive(plan, bag, "check")
    first: dict[tuple[str, str], str] = {}
    for name, handler, instance in expected:
        first.setdefault((handler, instance), name)
    assert [
        (each.call.action.handler, each.call.action.instance, each.call.rule.name) for each in once.calls
    ] == [(*key, name) for key, name in first.items()]
    # It reads no more than a naive one but for what the index reads of every request.
    of_index = {str(each) for each in checks(plan_of(), bag).references}
    assert {str(each) for each in once.references} <= depends | of_index


@settings(max_examples=100, deadline=None)
@given(rules, requests, st.sampled_from(CALLS), st.sampled_from(["shop", "istio-system"]))
def test_a_rule_of_another_service_changes_nothing_for_this_one(
    drawn: Drawn, bag: dict[str, Value], call: tuple[str, str], namespace: str
) -> None:
    before = plan_of(*written(drawn))
    match = 'destination.service.host == "elsewhere" && source.labels["x"] == request.host'
    after = plan_of(*written(drawn), *written([(match, call, namespace, None)], "other"))
    for ask in (checks, reports):
        assert ask(after, bag) == ask(before, bag)
    assert charges(after, bag, NOTHING, "requests") == charges(before, bag, NOTHING, "requests")


def test_work_per_request_does_not_depend_on_rules_of_other_services() -> None:
    others = [
        rule(
            f"o{number}", "no", "any", match=f'destination.service.host == "s{number}.shop"', namespace=place
        )
        for number in range(50)
        for place in ("shop", "istio-system")
    ]
    plan = plan_of(
        *others, rule("mine", "no", "any", match='destination.service.host == "a.shop"', namespace="shop")
    )
    assert [each.ref.name for each in rules_met(plan, REQUEST, "check")[0]] == ["mine"]


@settings(max_examples=60, deadline=None)
@given(rules, requests, requests)
def test_requests_that_agree_on_the_references_meet_the_same(
    drawn: Drawn, bag: dict[str, Value], other: dict[str, Value]
) -> None:
    """What a cache of verdicts counts on."""
    plan = plan_of(*written(drawn))
    found = checks(plan, bag)
    twin = dict(other)
    for each in found.references:
        value = bag.get(each.name)
        if each.key is None and each.condition == "absent":
            twin.pop(each.name, None)
        elif each.key is None and each.condition == "exact" and value is not None:
            twin[each.name] = value
        elif each.key is None:
            twin.setdefault(each.name, Map()) if isinstance(value, Map) else None
    for each in found.references:
        value = bag.get(each.name)
        if each.key is not None and isinstance(value, Map):
            below = twin.get(each.name)
            assert isinstance(below, Map)
            twin[each.name] = (
                below.set(each.key, value[each.key])
                if each.key in value
                else (below.delete(each.key) if each.key in below else below)
            )
    assert checks(plan, twin).calls == found.calls
