"""What predicates mean is the law of tests/mesh/test_authorization_law.py; here is what needs no request."""

import pytest

from proa.core.auth.authorization.values import Attribute, Rule, Term, Value
from proa.core.pilot.translate.authorization.predicates import (
    Place,
    all_of,
    any_of,
    negation,
    re2_escape,
    rule_predicate,
    term_predicate,
    terms_predicate,
)

PLACE = Place(ports=(8080, 80), trust_domain="cluster.local")
STREAM = Place(ports=(80,), is_stream=True, trust_domain="cluster.local")
PLAIN = Place(ports=(80,), has_peer=False, trust_domain="cluster.local")
PATH = Term(attribute="path", values=(Value("exact", "/a"),))


def test_ports_are_known() -> None:
    for number, negated in (("80", False), ("81", True)):
        term = Term(attribute="port", values=(Value("number", number),), negated=negated)
        assert term_predicate(term, "ALLOW", PLACE) is True
    assert term_predicate(Term(attribute="port", values=(Value("number", "81"),)), "DENY", PLACE) is False


@pytest.mark.parametrize("attribute", ["principal", "namespace", "trust_domain", "workload"])
def test_without_mesh_tls_there_is_no_peer(attribute: Attribute) -> None:
    term = Term(attribute=attribute, values=(Value("present"),))
    assert term_predicate(term, "ALLOW", PLAIN) is False
    negated = Term(attribute=attribute, values=(Value("present"),), negated=True)
    assert term_predicate(negated, "ALLOW", PLAIN) is True


def test_streams_have_no_requests() -> None:
    rule = Rule(name="a", operations=((PATH,),))
    assert rule_predicate(rule, "ALLOW", STREAM) is False
    assert rule_predicate(rule, "DENY", STREAM) is True
    assert terms_predicate((PATH,), "DENY", STREAM) is True


def test_what_nobody_matches() -> None:
    assert term_predicate(Term(attribute="workload", values=()), "ALLOW", PLACE) is False


def test_constants_fold() -> None:
    path = term_predicate(PATH, "ALLOW", PLACE)
    assert not isinstance(path, bool)
    assert (all_of([True, path]), all_of([False, path]), all_of([])) == (path, False, True)
    assert (any_of([False, path]), any_of([True, path]), any_of([])) == (path, True, False)
    assert (negation(True), negation(False)) == (False, True)


def test_letters_that_mean_something_to_a_regex_are_numbers() -> None:
    assert re2_escape("a.b*é") == r"a\x2eb\x2aé"
