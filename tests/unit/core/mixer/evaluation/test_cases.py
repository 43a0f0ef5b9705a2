import pytest

from proa.core.attributes.value_types import ValueType
from proa.core.attributes.vocabulary import vocabulary_of
from proa.core.mixer.evaluation.cases import BadCase, Cases

CASES = Cases(
    {"own": vocabulary_of({"as": ValueType.STRING, "adur": ValueType.DURATION, "ar": ValueType.STRING_MAP})}
)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (
            b'{"id": 7, "expr": "ar[\\"k\\"] | as", "manifest": "own", "attributes": {"as": ["STRING", "x"]}}',
            {"id": 7, "type": "STRING", "value": "x", "references": ["ar", "as"]},
        ),
        (
            b'{"id": "b", "expr": "adur | \\"19ms\\"", "manifest": "own"}',
            {"id": "b", "type": "DURATION", "value": "19ms", "references": ["adur"]},
        ),
        (
            b'{"id": 1, "expr": "ar", "manifest": "own", "attributes": {"ar": ["STRING_MAP", {"a": "b"}]}}',
            {"id": 1, "type": "STRING_MAP", "value": {"a": "b"}, "references": ["ar"]},
        ),
        (
            b'{"id": 1, "rest": 2, "expr": "as", "manifest": "own"}',
            {"id": 1, "error": "runtime", "message": "lookup failed: 'as'", "references": ["as"]},
        ),
        (
            b'{"id": 1, "expr": "a b", "manifest": "own"}',
            {
                "id": 1,
                "error": "compile",
                "message": 'column 3: expected an operator or the end, found "b"; join two conditions with && or ||',
            },
        ),
        (
            b'{"id": 1, "expr": "source.ip", "attributes": {"source.ip": ["IP_ADDRESS", "::1"]}}',
            {"id": 1, "type": "IP_ADDRESS", "value": "::1", "references": ["source.ip"]},
        ),
    ],
)
def test_answers(line: bytes, answer: dict[str, object]) -> None:
    assert CASES.answer(line) == answer
    assert CASES.answer(line) == answer


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"x", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "an object"),
        (b"{}", '"id"'),
        (b'{"id": true}', '"id"'),
        (b'{"id": 1}', '"expr"'),
        (b'{"id": 1, "expr": "1", "manifest": "none"}', "the file of manifests has own"),
        (b'{"id": 1, "expr": "1", "manifest": 1}', "manifest"),
        (b'{"id": 1, "expr": "1", "attributes": []}', "attributes"),
        (
            b'{"id": 1, "expr": "1", "attributes": {"a": ["INT64", "x"]}}',
            'attribute "a": expected a whole number',
        ),
        (b'{"id": 1, "expr": "1", "attributes": {"a": ["INT64", 9223372036854775808]}}', "64 bits"),
    ],
)
def test_bad_lines(line: bytes, message: str) -> None:
    with pytest.raises(BadCase, match=message):
        CASES.answer(line)
