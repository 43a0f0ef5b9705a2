import pytest

from proa.core.attributes.value_types import Timestamp, ValueType
from proa.core.attributes.vocabulary import STANDARD, vocabulary_of
from proa.core.mixer.evaluation.files import Vocabularies, read_bag, read_manifests, typed_value

MANIFEST = """\
apiVersion: config.istio.io/v1alpha2
kind: attributemanifest
metadata:
  name: {name}
spec:
  attributes:
    {attribute}:
      valueType: {type}
"""


def manifest(name: str, attribute: str, value_type: str) -> str:
    return MANIFEST.format(name=name, attribute=attribute, type=value_type)


def test_attributemanifests_extend_the_standard_vocabulary() -> None:
    text = (
        manifest("a", "my.attribute", "INT64")
        + "---\n"
        + manifest("b", "other", "URI").replace("valueT", "value_t")
    )
    found = read_manifests(text, "m.yaml")
    assert isinstance(found, Vocabularies)
    assert found.alone is not None
    assert found.alone.type_of("my.attribute") is ValueType.INT64
    assert found.alone.type_of("other") is ValueType.URI
    assert found.alone.type_of("source.labels") is ValueType.STRING_MAP
    assert found.by_name == {}


def test_a_mapping_is_the_vocabulary() -> None:
    found = read_manifests('{"a": "STRING", "b.c": "BOOL"}', "m.json")
    assert found == Vocabularies({}, vocabulary_of({"a": ValueType.STRING, "b.c": ValueType.BOOL}))


def test_several_mappings_have_names() -> None:
    found = read_manifests('{"one": {"a": "STRING"}, "two": {}}', "m.json")
    assert found == Vocabularies(
        {"one": vocabulary_of({"a": ValueType.STRING}), "two": vocabulary_of({})}, None
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "m:1: no attributes are declared here; write name: TYPE [required]"),
        ("a: TEXT", 'm:1: a: "TEXT" is no type'),
        ("one:\n  a: STRING\n  b: 5", "m:3: one.b: the number 5 is no type"),
        ("a: STRING\na: BOOL", "m:2: "),
        ("[", "m:1: not valid YAML"),
        (manifest("a", "x", "TEXT"), 'm:7: spec.attributes.x: "TEXT" is no type'),
        (
            manifest("a", "x", "BOOL") + "---\n" + manifest("b", "x", "URI"),
            "m:16: spec.attributes.x: x is BOOL by default/a and cannot be URI as well; rename one [conflict]",
        ),
        (
            manifest("a", "source.ip", "BOOL"),
            "m:7: spec.attributes[source.ip]: source.ip is IP_ADDRESS already and cannot be BOOL",
        ),
        (manifest("a", "x", "BOOL") + "---\nb: BOOL\n", "m:10: kind: this is no attributemanifest"),
    ],
)
def test_problems_of_manifests(text: str, problem: str) -> None:
    found = read_manifests(text, "m")
    assert isinstance(found, tuple)
    assert problem in str(found[0]), str(found[0])


def test_bags() -> None:
    text = 'source.ip: 1.2.3.4\nrequest.time: 1970-01-01T00:00:01Z\nmine: [INT64, 5]\nsource.labels: {"a": b}'
    assert read_bag(text, "a.yaml", STANDARD) == {
        "source.ip": b"\x01\x02\x03\x04",
        "request.time": Timestamp(1_000_000_000),
        "mine": 5,
        "source.labels": {"a": "b"},
    }
    assert read_bag("", "a.yaml", STANDARD) == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 5", 'a:1: a: there is no attribute "a"; declare it, or write [TYPE, value] [bad-value]'),
        ("\nresponse.code: x", "a:2: [response.code]: not a value: expected a whole number of 64 bits"),
        ("a: [TEXT, x]", "a:1: a: not a value: expected [TYPE, value]"),
    ],
)
def test_problems_of_bags(text: str, problem: str) -> None:
    found = read_bag(text, "a", vocabulary_of({"response.code": ValueType.INT64}))
    assert isinstance(found, tuple)
    assert problem in str(found[0])


@pytest.mark.parametrize("written", [None, [], ["INT64"], ["INT64", 1, 2], ["NO", 1], [1, 1], "INT64"])
def test_what_is_no_typed_value(written: object) -> None:
    with pytest.raises(ValueError, match=r"\[TYPE, value\]"):
        typed_value(written)
