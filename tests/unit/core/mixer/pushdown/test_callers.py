from immutables import Map

from proa.core.attributes.vocabulary import STANDARD
from proa.core.expression.program import Program, compile_expression
from proa.core.expression.typed import Typed
from proa.core.mixer.asked import Party
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.pushdown.callers import (
    Callers,
    Concern,
    Terms,
    can_meet,
    concerns_of,
    demand_of_callers,
    facts_of_caller,
    facts_of_newcomer,
    namespaces_moved,
    terms_of,
)
from proa.testing.mixer import all_run, mixer_config, rule

LABELS = {
    "reviews-v2": {"app": "reviews", "version": "v2", "team": "a"},
    "reviews-v3": {"app": "reviews", "version": "v3"},
    "web": {"app": "web"},
    "other": {"app": "reviews", "version": "v3", "team": "b"},
}
PARTIES = {
    f"{name}.shop": Party(name=name, namespace="shop", labels=Map(labels)) for name, labels in LABELS.items()
}


def terms(text: str) -> Terms:
    program = compile_expression(text, STANDARD)
    assert isinstance(program, Program)
    return terms_of([program.checked.root])


def test_what_is_read_of_a_caller() -> None:
    assert terms('source.labels["app"] == "a" && source.namespace == "b"') == {
        ("source.labels", "app"),
        ("source.namespace", None),
    }
    assert terms('(source.labels | destination.labels)["app"] == "a"') == {("source.labels", None)}
    of_requests = 'source.principal == "a" && request.path == source.user && source.ip == ip("1.2.3.4")'
    assert terms(of_requests) == set()


def test_callers_that_agree_in_it_are_one_group() -> None:
    callers = Callers(Map(PARTIES))
    groups = callers.groups(terms('source.labels["app"] == source.labels["version"]'))
    assert [(dict(group.facts), group.names) for group in groups] == [
        ({"source.labels": Map({"app": "reviews", "version": "v3"})}, ("other.shop", "reviews-v3.shop")),
        ({"source.labels": Map({"app": "reviews", "version": "v2"})}, ("reviews-v2.shop",)),
        ({"source.labels": Map({"app": "web"})}, ("web.shop",)),
    ]
    (everybody,) = callers.groups(terms('source.namespace == "shop"'))
    assert everybody.names == ("*.shop",)
    assert len(callers.groups(terms("source.labels | destination.labels"))) == len(PARTIES)


def test_groups_are_made_once() -> None:
    callers = Callers(Map(PARTIES))
    asked = terms("source.name")
    assert callers.groups(asked) is callers.groups(asked)


def test_of_a_stranger_all_is_absent() -> None:
    asked = terms('source.labels["app"] == source.name')
    assert facts_of_caller(asked, None) == {"source.labels": None, "source.name": None}
    owner = terms("source.owner == source.name")
    assert facts_of_caller(owner, PARTIES["web.shop"]) == {"source.owner": None, "source.name": "web"}
    assert facts_of_newcomer(asked) == {"source.labels": Map()}
    assert facts_of_newcomer(owner) == {}


def root(text: str) -> Typed:
    program = compile_expression(text, STANDARD)
    assert isinstance(program, Program)
    return program.checked.root


def test_whom_a_rule_may_mean_is_found_without_looking_at_all_others() -> None:
    callers = Callers(Map(PARTIES))
    for text, names in (
        (
            'source.labels["app"] == "reviews" && source.labels["version"] == "v3"',
            ("other.shop", "reviews-v3.shop"),
        ),
        ('source.labels["version"] == ""', ("web.shop",)),
        ('source.name == "web" || source.name == "other"', ("other.shop", "web.shop")),
        ('source.labels["app"] == "none"', ()),
    ):
        match = root(text)
        demand = demand_of_callers(match)
        assert demand
        found = callers.groups_that_meet(terms_of([match]), demand)
        assert tuple(sorted(name for group in found for name in group.names)) == names
        every = {name: can_meet(demand, party) for name, party in PARTIES.items()}
        assert {name for name, can in every.items() if can} == set(names)
    assert not demand_of_callers(root('source.principal == "a"'))
    assert not demand_of_callers(None)


def test_a_newcomer_may_have_any_name_and_wears_no_label() -> None:
    for text, can in (
        ('source.name == "web"', True),
        ('source.labels["app"] == ""', True),
        ('source.labels["app"] == "web"', False),
    ):
        assert can_meet(demand_of_callers(root(text)), None) is can


def concerns(*matches: str) -> tuple[Concern, ...]:
    objects = [mixer_config("denier", "no", {}), mixer_config("checknothing", "any", {})]
    rules = [
        rule(f"r{number}", "no.denier", "any.checknothing", match=match)
        for number, match in enumerate(matches)
    ]
    return concerns_of(compile_plan((*objects, *rules), all_run()).plan)


def test_only_rules_that_read_callers_are_concerned() -> None:
    same = 'source.labels["app"] == "web"'
    assert len(concerns("", 'request.path == "/"', same, same)) == 1


def test_who_comes_and_goes_moves_the_rules_that_tell_the_difference() -> None:
    web, other = PARTIES["web.shop"], PARTIES["other.shop"]
    asked = concerns('source.labels["app"] == "web" && destination.port == 80')
    for before, after, moved in (
        (None, web, {"default"}),
        (web, None, {"default"}),
        (web, other, {"default"}),
        (web, web, set()),
        (None, other, set()),
        (other, None, set()),
    ):
        assert namespaces_moved(asked, before, after) == moved
    # Whoever wears no label is like one of whom no label is known.
    anybody = concerns('(source.labels["app"] | "") != "web"')
    bare = Party(name="bare", namespace="shop")
    assert namespaces_moved(anybody, None, bare) == set()
    assert namespaces_moved(anybody, bare, web) == {"default"}
