from immutables import Map

from proa.core.attributes.vocabulary import STANDARD
from proa.core.expression.program import Program, compile_expression
from proa.core.mixer.asked import Party
from proa.core.mixer.pushdown.callers import Callers, Terms, facts_of_caller, terms_of

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
    assert everybody.names == tuple(sorted(PARTIES))
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
