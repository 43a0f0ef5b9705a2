import itertools

import pytest
from immutables import Map

from proa.core.attributes.value_types import ValueType
from proa.core.config.config import Config
from proa.core.config.mixer.annotations import Bounds
from proa.core.config.mixer.catalogue import BUILT_IN
from proa.core.mixer.plan.compiling import Compiled, compile_plan, objects_of, vocabulary_of
from proa.testing.mixer import all_run, mixer_config, rule

RUN = all_run()
DENIER = mixer_config("denier", "no", {"status": {"code": 7, "message": "Not allowed"}})
NOTHING = mixer_config("checknothing", "any", {})
LIMITS = mixer_config(
    "memquota",
    "handler",
    {"quotas": [{"name": "requests.quota.istio-system", "maxAmount": 5, "validDuration": "1s"}]},
    "istio-system",
)
REQUESTS = mixer_config(
    "quota", "requests", {"dimensions": {"who": 'source.user | "unknown"'}}, "istio-system"
)


def compiled(*configs: Config) -> Compiled:
    return compile_plan(configs, RUN)


def codes(found: Compiled) -> list[str]:
    return sorted(f"{each.about.name} {each.code}" for each in found.messages)


def test_a_rule_becomes_calls_with_whole_names() -> None:
    found = compiled(
        DENIER, NOTHING, rule("deny", "no.denier", "any.checknothing", match='request.path == "/a"')
    )
    (made,) = found.plan.rules["default"].rules
    assert [(each.handler, each.instance, each.variety) for each in made.actions] == [
        ("no.denier.default", "any.checknothing.default", "check")
    ]
    assert made.match is not None
    assert made.match.text == 'request.path == "/a"'
    assert set(found.plan.handlers) == {"no.denier.default"}
    assert found.messages == ()


def test_a_rule_of_proas_own_kind_is_in_cel() -> None:
    """Where the languages share a text, they do not mean the same: in CEL a key that is not there is an error."""
    text = 'request.headers["x-a"] != "b"'
    both = compiled(
        DENIER,
        NOTHING,
        rule("old", "no.denier", "any.checknothing", match=text),
        rule("own", "no.denier", "any.checknothing", match=text, kind="MixerRule"),
    )
    own, old = both.plan.rules["default"].rules
    assert old.match is not None
    assert own.match is not None
    assert old.match != own.match
    assert old.match.evaluate({"request.headers": {}}).value is True
    assert own.match.evaluate({"request.headers": {}}).value is None
    wrong = rule("own", "no.denier", "any.checknothing", match="request.nothing == 1", kind="MixerRule")
    assert codes(compiled(DENIER, NOTHING, wrong)) == ["own mixer-expression"]


@pytest.mark.parametrize(
    ("handler", "instance"),
    [
        ("handler.memquota.istio-system", "requests.quota.istio-system"),
        ("handler.memquota", "requests.quota"),
        ("handler", "requests"),
    ],
)
@pytest.mark.parametrize("namespace", ["istio-system", "default"])
def test_references_of_one_two_and_three_parts(handler: str, instance: str, namespace: str) -> None:
    """Also from a namespace that has no such handler: those of the root namespace are for all."""
    found = compiled(LIMITS, REQUESTS, rule("count", handler, instance, namespace=namespace))
    assert found.messages == ()
    (made,) = found.plan.rules[namespace].rules
    assert made.actions[0].handler == "handler.memquota.istio-system"


def test_the_newer_style_may_leave_out_its_kind_in_another_namespace() -> None:
    handler = mixer_config("handler", "no", {"compiledAdapter": "denier", "params": {}}, "shop")
    instance = mixer_config("instance", "any", {"compiledTemplate": "checknothing", "params": {}}, "shop")
    found = compiled(handler, instance, rule("deny", "no.shop", "any.shop"))
    assert found.messages == ()
    assert found.plan.rules["default"].rules[0].actions[0].handler == "no.handler.shop"


def test_what_is_not_there_is_told_with_a_near_name() -> None:
    found = compiled(DENIER, NOTHING, rule("deny", "no.deniar", "some.checknothing"))
    assert codes(found) == ["deny mixer-reference-missing"] * 2
    assert 'did you mean "no.denier.default"' in found.messages[0].text
    assert [each.path for each in found.messages] == [
        ("spec", "actions", 0, "handler"),
        ("spec", "actions", 0, "instances", 0),
    ]
    assert not found.plan.rules


def test_an_adapter_takes_its_templates_alone() -> None:
    found = compiled(DENIER, REQUESTS, LIMITS, NOTHING, rule("r", "handler", "any.checknothing.default"))
    assert codes(found) == ["r mixer-template-unfit"]
    assert not found.plan.handlers


def test_what_does_not_run_is_told_and_left_out() -> None:
    far = mixer_config("stackdriver", "far", {})
    line = mixer_config("logentry", "line", {})
    found = compile_plan([far, line, rule("log", "far.stackdriver", "line.logentry")], BUILT_IN)
    assert codes(found) == ["far mixer-adapter-missing"]
    assert not found.plan.rules


def test_expressions_are_checked_with_what_manifests_declare() -> None:
    manifest = mixer_config("attributemanifest", "own", {"attributes": {"shop.size": {"valueType": "INT64"}}})
    count = mixer_config("quota", "q", {"dimensions": {"size": "shop.size"}})
    late = mixer_config("listentry", "value", {"value": "shop.size"})
    found = compiled(manifest, count, late)
    assert codes(found) == ["value mixer-expression"]
    assert codes(compiled(count)) == ["q mixer-expression"]
    other = mixer_config("attributemanifest", "b", {"attributes": {"shop.size": {"valueType": "STRING"}}})
    assert codes(compiled(manifest, other)) == ["own mixer-attribute-conflict"]
    vocabulary, _ = vocabulary_of(objects_of([manifest], RUN))
    assert vocabulary.type_of("shop.size") is ValueType.INT64


def test_an_instance_that_makes_no_sense_is_left_out_whole() -> None:
    count = mixer_config("quota", "q", {"dimensions": {"a": "request.size", "b": "request.nothing"}})
    limits = mixer_config("memquota", "m", {})
    found = compiled(count, limits, rule("r", "m.memquota", "q.quota"))
    assert codes(found) == ["q mixer-expression"]
    assert not found.plan.instances
    broken = compiled(DENIER, NOTHING, rule("deny", "no.denier", "any.checknothing", match="own.path"))
    assert codes(broken) == ["deny mixer-expression"]
    assert not broken.plan.rules


def test_bindings_are_of_what_a_generator_gives() -> None:
    bindings = {"source.labels": "$out.source_labels", "source.ip": "$out.source_pod", "a.b": "$out.x"}
    pods = mixer_config("kubernetes", "pods", {"attribute_bindings": bindings})
    found = compiled(pods)
    assert sorted(str(each.path[-1]) for each in found.messages) == ["a.b", "source.ip"]
    metric = mixer_config("metric", "m", {"value": "1", "attribute_bindings": {"source.name": "$out.a"}})
    assert codes(compiled(metric)) == ["m mixer-expression"]


def test_the_plan_is_the_same_for_any_order_of_objects() -> None:
    configs = [
        DENIER,
        NOTHING,
        LIMITS,
        REQUESTS,
        rule("one", "no.denier", "any.checknothing"),
        rule("two", "handler", "requests", namespace="shop"),
    ]
    plans = [compiled(*order) for order in itertools.permutations(configs)]
    assert all(each.plan == plans[0].plan for each in plans)
    assert all(sorted(map(str, each.messages)) == sorted(map(str, plans[0].messages)) for each in plans)


def test_a_handler_keeps_its_identity_while_it_says_and_is_given_the_same() -> None:
    used = rule("one", "handler", "requests")

    def identity(*configs: Config) -> str:
        return compiled(*configs).plan.handlers["handler.memquota.istio-system"].identity

    before = identity(LIMITS, REQUESTS, used)
    other_rule = rule("two", "handler", "requests", match="request.size == 5", namespace="shop")
    assert identity(LIMITS, REQUESTS, used, other_rule, DENIER) == before
    slow = mixer_config(
        "memquota",
        "handler",
        {"quotas": [{"name": "requests.quota.istio-system", "max_amount": 5, "valid_duration": "1000ms"}]},
        "istio-system",
        {"proa.dev/deadline": "2s", "proa.dev/concurrency": "7"},
    )
    assert identity(slow, REQUESTS, used) == before
    assert compiled(slow, REQUESTS, used).plan.handlers["handler.memquota.istio-system"].bounds == Bounds(
        deadline_ms=2000, concurrency=7
    )
    text = mixer_config("quota", "requests", {"dimensions": {"who": "source.ip"}}, "istio-system")
    assert identity(LIMITS, text, used) != before
    larger = mixer_config("memquota", "handler", {}, "istio-system")
    assert identity(larger, REQUESTS, used) != before


def test_a_handler_is_told_the_types_of_what_it_will_get() -> None:
    found = compiled(LIMITS, REQUESTS, rule("one", "handler", "requests"))
    handler = found.plan.handlers["handler.memquota.istio-system"]
    assert handler.instances == Map(
        {"requests.quota.istio-system": Map({"dimensions.who": ValueType.STRING})}
    )


def test_rules_say_what_happens_when_a_call_fails() -> None:
    said = rule("one", "no.denier", "any.checknothing", annotations={"proa.dev/failure-policy": "open"})
    silent = rule("two", "no.denier", "any.checknothing")
    one, two = compiled(DENIER, NOTHING, said, silent).plan.rules["default"].rules
    assert one.policy_for("check") == "open"
    assert [two.policy_for(each) for each in ("check", "generator", "quota", "report")] == [
        "closed",
        "closed",
        "open",
        "open",
    ]


def test_expressions_are_compiled_once_for_many_plans() -> None:
    rules = [
        rule(f"r{number}", "no.denier", "any.checknothing", match=f"request.size == {number}")
        for number in range(5)
    ]
    first = compiled(DENIER, NOTHING, *rules)
    assert first.formulas.compiled == 5
    more = rule("more", "no.denier", "any.checknothing", match="request.size == 99")
    second = compile_plan([DENIER, NOTHING, *rules, more], RUN, first.formulas)
    assert second.formulas.compiled == 6
    manifest = mixer_config("attributemanifest", "own", {"attributes": {"a": {"valueType": "INT64"}}})
    third = compile_plan([DENIER, NOTHING, *rules, manifest], RUN, second.formulas)
    assert third.formulas is not second.formulas
    assert third.plan.rules == first.plan.rules
