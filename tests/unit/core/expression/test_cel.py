import pytest
from google.protobuf.json_format import MessageToDict

from proa.core.expression.cel import (
    FAILURE,
    Cel,
    EmptyMap,
    Literal,
    Method,
    Operation,
    Texts,
    cel_text,
    choice,
    extent_of,
    has,
    infix,
    parsed,
    path,
)


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (Literal("a"), '"a"'),
        (Literal('50% "of"\n'), '"50\\x25 \\"of\\"\\n"'),
        (Literal(True), "true"),
        (Literal(-5), "(-5)"),
        (Literal(1.5), "1.5"),
        (path("request.path"), "request.path"),
        (has("request.path"), "has(request.path)"),
        (FAILURE, '{}["absent"]'),
        (infix(Literal(1), "<", Literal(2)), "(1 < 2)"),
        (infix(Literal("a"), "in", EmptyMap()), '("a" in {})'),
        (infix(path("a.b"), "in", Texts(("a", "50%"))), '(a.b in ["a", "50\\x25"])'),
        (choice(Literal(True), Literal(1), Literal(2)), "(true ? 1 : 2)"),
        (Method("startsWith", path("a.b"), (Literal("c"),)), 'a.b.startsWith("c")'),
        (Operation("size", (Operation("bytes", (path("a.b"),)),)), "size(bytes(a.b))"),
    ],
)
def test_texts(node: Cel, text: str) -> None:
    assert cel_text(node) == text


def test_messages() -> None:
    node = choice(
        has("a.b"), Method("f", path("a.b"), (Literal(2.5),)), Operation("_[_]", (EmptyMap(), Literal(-1)))
    )
    found = MessageToDict(parsed(node))["expr"]
    assert found == {
        "id": "1",
        "callExpr": {
            "function": "_?_:_",
            "args": [
                {
                    "id": "2",
                    "selectExpr": {
                        "operand": {"id": "3", "identExpr": {"name": "a"}},
                        "field": "b",
                        "testOnly": True,
                    },
                },
                {
                    "id": "4",
                    "callExpr": {
                        "function": "f",
                        "target": {
                            "id": "5",
                            "selectExpr": {"operand": {"id": "6", "identExpr": {"name": "a"}}, "field": "b"},
                        },
                        "args": [{"id": "7", "constExpr": {"doubleValue": 2.5}}],
                    },
                },
                {
                    "id": "8",
                    "callExpr": {
                        "function": "_[_]",
                        "args": [
                            {"id": "9", "structExpr": {}},
                            {"id": "10", "constExpr": {"int64Value": "-1"}},
                        ],
                    },
                },
            ],
        },
    }


def test_constants_of_messages() -> None:
    assert parsed(Literal(True)).expr.const_expr.bool_value
    assert parsed(Literal("é")).expr.const_expr.string_value == "é"


def test_an_extent_is_not_too_small() -> None:
    def levels(value: object) -> int:
        if isinstance(value, dict):
            return 1 + max((levels(each) for each in value.values()), default=0)
        return max(map(levels, value)) if isinstance(value, list) else 0

    for node in (Literal(1), path("a.b"), infix(path("a.b.c"), "==", Literal(1)), Method("f", FAILURE, ())):
        extent = extent_of(node, 90)
        assert extent is not None
        assert levels(MessageToDict(parsed(node))["expr"]) <= extent.levels
        assert len(cel_text(node)) <= extent.characters


def test_what_is_shared_is_measured_once() -> None:
    node: Cel = path("a.b")
    for _ in range(60):
        node = infix(node, "==", node)
    extent = extent_of(node, 124)
    assert extent is not None
    assert extent.characters > 2**60
    assert extent.levels == 124
    assert extent_of(node, 123) is None


def test_depth_costs_no_recursion_beyond_what_is_allowed() -> None:
    node: Cel = path("a.b")
    for _ in range(50_000):
        node = choice(Literal(True), Literal(1), node)
    assert extent_of(node, 90) is None
    while isinstance(node, Operation):  # taken apart from the top, as no destructor would
        node = node.arguments[2]
