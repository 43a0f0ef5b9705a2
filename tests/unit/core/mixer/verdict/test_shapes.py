import pytest

from proa.core.attributes.vocabulary import ATTRIBUTES
from proa.core.expression.tracing import Reference
from proa.core.mixer.verdict.keys import Facts, key_of
from proa.core.mixer.verdict.shapes import MOST_PARTS, Shape, Unkept, part_in_words, shape_of


def of(*references: str) -> Shape | Unkept:
    """`name` or `name[key]`, all of them with values that count."""
    pairs = [each.removesuffix("]").partition("[") for each in references]
    return shape_of(Reference(name, key if bracket else None, "exact") for name, bracket, key in pairs)


def test_attributes_become_what_a_proxy_reads_each_once() -> None:
    references = ["source.labels[app]", "source.name", "request.headers[X-User]", "request.path"]
    assert of(*references) == Shape(("h::path", "h:x-user", "u", "w"))
    assert of("request.auth.principal") == Shape(("c:iss", "c:sub"))


def test_a_workload_s_name_counts_beside_its_identity_alone() -> None:
    """Else what was decided of ours would be kept for whoever a partner's authority calls like it."""
    ours, theirs = (
        Facts(identity=f"spiffe://{domain}/ns/shop/sa/web", workload="web.shop.workload.cluster.local")
        for domain in ("cluster.local", "partner.example")
    )
    for reference in ("source.labels[app]", "source.name", "source.namespace", "source.ip"):
        shape = of(reference)
        assert isinstance(shape, Shape)
        assert key_of(shape, ours) != key_of(shape, theirs)


def test_what_is_the_same_for_all_that_a_proxy_asks_needs_no_part() -> None:
    assert of("destination.labels[app]", "context.reporter.kind", "destination.port") == Shape(())


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("request.id", "no two requests share it"),
        ("request.time", "no two requests share it"),
        ("request.headers", "name the keys"),
        ("response.code", "the proxy does not know it"),
        ("my.own", "the proxy does not know it"),
        ("request.headers[a\nb]", "no request has it"),
    ],
)
def test_a_verdict_on_what_never_comes_again_is_kept_by_nobody(reference: str, reason: str) -> None:
    found = of("request.path", reference)
    assert isinstance(found, Unkept)
    assert found.attribute == reference
    assert reason in found.reason


def test_that_a_map_is_there_is_a_fact_of_its_own() -> None:
    """Claims come with a token; headers every request has."""
    read = [Reference("request.headers", None, "present"), Reference("request.auth.claims", None, "absent")]
    assert shape_of(read) == Shape(("j",))


def test_more_parts_than_are_worth_it_are_not_kept() -> None:
    assert isinstance(of(*(f"request.headers[x-{n}]" for n in range(MOST_PARTS))), Shape)
    assert isinstance(of(*(f"request.headers[x-{n}]" for n in range(MOST_PARTS + 1))), Unkept)


def test_every_attribute_is_a_part_or_has_a_reason() -> None:
    for row in ATTRIBUTES:
        found = of(row.name)
        assert isinstance(found, Shape) or found.reason


def test_every_part_has_words() -> None:
    parts = {part for row in ATTRIBUTES if isinstance(found := of(row.name), Shape) for part in found.parts}
    assert all(part_in_words(part) for part in parts)
    assert part_in_words("h::path") == "the header :path"
    assert part_in_words("w") == "the caller's workload"
