from immutables import Map

from proa.core.config.meta import IGNORED, Meta, read_meta
from proa.core.config.problem import Finding
from proa.core.config.tree import Json


def read(value: Json) -> tuple[Meta, list[tuple[str | int, ...]]]:
    found: list[Finding] = []
    meta = read_meta(value, "default", found)
    return meta, [finding.path for finding in found]


def test_what_means_something_is_kept() -> None:
    value: Json = {"name": "a", "namespace": "b", "labels": {"c": "d"}, "annotations": {"e": "f g"}}
    assert read(value) == (
        Meta(name="a", namespace="b", labels=Map({"c": "d"}), annotations=Map({"e": "f g"})),
        [],
    )


def test_the_default_namespace_fills_in() -> None:
    assert (
        read({"name": "a"})[0].namespace == read({"name": "a", "namespace": None})[0].namespace == "default"
    )


def test_what_kubernetes_adds_is_ignored() -> None:
    ignored: dict[str, Json] = dict.fromkeys(IGNORED, 1)
    assert read({"name": "a", **ignored}) == (Meta(name="a", namespace="default"), [])


def test_mistakes() -> None:
    assert read(None)[1] == [("metadata", "name")]
    assert read({})[1] == [("metadata", "name")]
    assert read("a")[1] == [("metadata",)]
    assert read(
        {"name": "A", "namespace": "a.b", "labels": {"a": "b c"}, "annotations": {"a b": ""}, "nmae": 1}
    )[1] == [
        ("metadata", "nmae"),
        ("metadata", "name"),
        ("metadata", "namespace"),
        ("metadata", "labels", "a"),
        ("metadata", "annotations", "a b"),
    ]
