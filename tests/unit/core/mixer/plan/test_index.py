import pytest
from immutables import Map

from proa.core.attributes.vocabulary import STANDARD
from proa.core.expression.tracing import Reference
from proa.core.mixer.formulas import Formula, Formulas
from proa.core.mixer.plan.index import DESTINATION, PROTOCOL, build_index, demand_of, terms_of

HOST, LABEL = DESTINATION[0], DESTINATION[-1]


def formula(text: str) -> Formula:
    found = Formulas(STANDARD).get(text, None)
    assert isinstance(found, Formula), found
    return found


@pytest.mark.parametrize(
    ("text", "demand"),
    [
        ('destination.service.host == "a"', {HOST: {"a"}}),
        ('"a" == destination.service.host && request.size == 5', {HOST: {"a"}}),
        (
            'destination.labels["app"] == "a" && context.protocol == "http"',
            {LABEL: {"a"}, PROTOCOL: {"http"}},
        ),
        ('destination.service.host == "a" || destination.service.host == "b"', {HOST: {"a", "b"}}),
        ('destination.service.host == "a" || request.size == 5', {}),
        (
            'destination.service.host == "a" && (destination.service.host == "a" || '
            'destination.service.host == "b")',
            {HOST: {"a"}},
        ),
        ('destination.service.host != "a"', {}),
        ('(destination.service.host | "b") == "a"', {}),
        ('destination.labels["version"] == "a"', {}),
        ("destination.service.host == request.host", {}),
        ('destination.service.host.startsWith("a")', {}),
        ('(destination.service.host == "a") == false', {}),
    ],
)
def test_what_a_match_demands(text: str, demand: dict[tuple[str, str | None], set[str]]) -> None:
    assert {term: set(values) for term, values in demand_of(formula(text)).items()} == demand


def test_what_a_match_in_cel_demands() -> None:
    text = 'destination.labels.app in ["a", "b"] && context.protocol == "http" && !has(request.headers.a)'
    found = Formulas(STANDARD).get(text, None, language="CEL")
    assert isinstance(found, Formula)
    demanded = {term: set(values) for term, values in demand_of(found).items()}
    assert demanded == {LABEL: {"a", "b"}, PROTOCOL: {"http"}}


def test_no_match_demands_nothing() -> None:
    assert demand_of(None) == Map()


def test_rules_are_found_by_destination_and_protocol_in_their_order() -> None:
    texts = [
        'destination.service.host == "b" && context.protocol == "tcp"',
        "request.size == 5",
        'destination.service.host == "b"',
        'destination.labels["app"] == ""',
        'context.protocol == "http"',
        'destination.service.host == "a"',
    ]
    index = build_index((at, demand_of(formula(text))) for at, text in enumerate(texts))

    def found(**attributes: object) -> list[int]:
        return list(index.find(terms_of({key.replace("_", "."): value for key, value in attributes.items()})))  # type: ignore[misc]

    assert found(destination_service_host="b", context_protocol="tcp") == [0, 1, 2]
    assert found(destination_service_host="b", context_protocol="http") == [1, 2, 4]
    assert found(destination_service_host="c") == [1]
    assert found() == [1]
    # A key that is not there reads as an empty text, a map that is not there as nothing.
    assert found(destination_labels={"x": "y"}) == [1, 3]
    assert found(destination_labels=Map()) == [1, 3]


def test_the_same_is_read_of_every_request() -> None:
    facts = terms_of({"context.protocol": "http", "destination.labels": {"app": "a"}})
    assert dict(facts.values.items()) == {PROTOCOL: "http", LABEL: "a"}
    assert Reference("destination.service.host", None, "absent") in facts.references
    assert Reference("destination.labels", "app", "exact") in facts.references
    assert Reference("context.protocol", None, "exact") in facts.references
    assert Reference("destination.labels", None, "absent") in terms_of({}).references
