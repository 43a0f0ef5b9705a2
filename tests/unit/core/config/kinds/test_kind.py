from collections.abc import Iterator

from proa.core.config.kinds.kind import Kind
from proa.core.config.meta import Meta
from proa.core.config.problem import Finding
from proa.core.config.record import Port, Record
from proa.core.config.tree import Json


class Spec(Record, frozen=True, kw_only=True):
    ports: tuple[Port, ...]
    name: str = ""


def validate(spec: Spec, meta: Meta) -> Iterator[Finding]:
    """Finds fault with everything, so that the tests see what is asked."""
    yield Finding(("spec",), "whole", "")
    yield Finding(("spec", "ports", 0), "first", "")
    yield Finding(("spec", "name"), meta.namespace, "")


KIND = Kind(
    group="g",
    kind="Thing",
    versions=("v1",),
    plural="things",
    short_names=("th",),
    spec=Spec,
    validate=validate,
)


def read(value: Json) -> tuple[Spec, list[str]]:
    found: list[Finding] = []
    spec = KIND.read(value, Meta(name="a", namespace="ns"), found)
    return spec, [finding.code for finding in found]


def test_a_readable_spec_is_judged_whole() -> None:
    assert read({"ports": [80]}) == (Spec(ports=(80,)), ["whole", "first", "ns"])


def test_what_could_not_be_read_is_not_judged_and_the_rest_is() -> None:
    assert read({"ports": [0, 80]})[1] == ["out-of-range", "ns"]
    assert read({"ports": 80})[1] == ["wrong-type", "ns"]
    assert read({"ports": [80, 0]})[1] == ["out-of-range", "first", "ns"]


def test_without_a_spec_nothing_is_judged() -> None:
    assert read(None) == (Spec(ports=()), ["required"])
    assert read("text")[1] == ["wrong-type"]


def test_names() -> None:
    assert KIND.names() == ("thing", "things", "th")
