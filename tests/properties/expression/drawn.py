"""Well-typed expressions, and bags that have some of what they read. None is checked here: that they check is a law."""

from collections.abc import Callable, Mapping

from hypothesis import strategies as st

from proa.core.attributes.value_types import INT64_MAX, INT64_MIN, Span, Timestamp, Value, ValueType
from proa.core.attributes.vocabulary import Vocabulary, vocabulary_of
from proa.core.expression.quotes import quoted

TYPES = tuple(ValueType)
# Two of each type.
NAMES = {value_type: (f"{value_type.name.lower()}.a", f"{value_type.name.lower()}.b") for value_type in TYPES}
KNOWN: Vocabulary = vocabulary_of({name: each for each, names in NAMES.items() for name in names})
KEYS = ("k", "x-y", "10s")

_words = st.sampled_from(
    ("", "a", "b", "ab", "A", "10s", "0", "k", "é", "a*", "*b", "[", "a.b", "1.2.3.4", "-", "a@b")
)
_addresses = st.sampled_from((b"\x01\x02\x03\x04", bytes(10) + b"\xff\xff\x01\x02\x03\x04", bytes(16), b""))
VALUES: dict[ValueType, st.SearchStrategy[Value]] = {
    ValueType.STRING: _words,
    ValueType.INT64: st.sampled_from((0, 1, 2, -1, INT64_MAX, INT64_MIN)),
    ValueType.DOUBLE: st.sampled_from((0.0, -0.0, 1.5, 1e308, float("inf"))),
    ValueType.BOOL: st.booleans(),
    ValueType.TIMESTAMP: st.sampled_from((0, 1, 2**60)).map(Timestamp),
    ValueType.IP_ADDRESS: _addresses,
    ValueType.EMAIL_ADDRESS: st.sampled_from(("a@b", '"a"@B.', "a", "")),
    ValueType.URI: st.sampled_from(("http://a", "HTTP://A.", "urn:a", "", "http://-")),
    ValueType.DNS_NAME: st.sampled_from(("a.b", "A.b.", "-", "")),
    ValueType.DURATION: st.sampled_from((0, 1, 10_000_000_000)).map(Span),
    ValueType.STRING_MAP: st.dictionaries(st.sampled_from(KEYS), _words, max_size=2),
}

bags = st.fixed_dictionaries(
    {}, optional={name: VALUES[value_type] for value_type, names in NAMES.items() for name in names}
)

_LITERALS: dict[ValueType, tuple[str, ...]] = {
    ValueType.STRING: (*map(quoted, ("a", "b", "k", "0", "10s", "a*", "", ")%:5")), "`a`", "'a'"),
    ValueType.INT64: ("0", "1", "0x2"),
    ValueType.DOUBLE: ("1.5", ".0", "1e308"),
    ValueType.BOOL: ("true", "FALSE"),
    ValueType.DURATION: ('"0"', '"10s"', '"1ns"'),
    ValueType.TIMESTAMP: ('timestamp("1970-01-01T00:00:00Z")', 'timestamp("no")'),
    ValueType.IP_ADDRESS: ('ip("1.2.3.4")', 'ip("1.2")'),
    ValueType.EMAIL_ADDRESS: ('email("a@b")', 'email("a")'),
    ValueType.URI: ('uri("http://a")', 'uri("")'),
    ValueType.DNS_NAME: ('dnsName("a.b")', 'dnsName("-")'),
    ValueType.STRING_MAP: ("emptyStringMap()",),
}
_COMPARED = tuple(each for each in TYPES if each not in (ValueType.DURATION, ValueType.STRING_MAP))
_ORDERED = (ValueType.STRING, ValueType.INT64, ValueType.DOUBLE, ValueType.TIMESTAMP, ValueType.DURATION)
_ADDED = (
    ValueType.STRING,
    ValueType.INT64,
    ValueType.DOUBLE,
    ValueType.DNS_NAME,
    ValueType.EMAIL_ADDRESS,
    ValueType.URI,
)
_BY_STRING = {
    ValueType.IP_ADDRESS: "ip",
    ValueType.TIMESTAMP: "timestamp",
    ValueType.DNS_NAME: "dnsName",
    ValueType.EMAIL_ADDRESS: "email",
    ValueType.URI: "uri",
    ValueType.INT64: "size",
    ValueType.STRING: "toLower",
}


@st.composite
def texts_of(
    draw: Callable[[st.SearchStrategy[str]], str],
    wanted: ValueType,
    depth: int = 2,
    names: Mapping[ValueType, tuple[str, ...]] = NAMES,
) -> str:
    """An expression of that type, as a user may write it, over attributes of those names."""
    if depth == 0:
        return draw(st.sampled_from((*names.get(wanted, ()), *_LITERALS[wanted])))
    shape = draw(st.sampled_from(_shapes(wanted)))

    def part(value_type: ValueType) -> str:
        return draw(texts_of(value_type, depth - 1, names))

    def one_of(types: tuple[ValueType, ...]) -> ValueType:
        return ValueType[draw(st.sampled_from([each.name for each in types]))]

    match shape:
        case "leaf":
            return draw(texts_of(wanted, 0, names))
        case "|":
            return f"({part(wanted)} | {part(wanted)})"
        case "conditional":
            return f"conditional({part(ValueType.BOOL)}, {part(wanted)}, {part(wanted)})"
        case "conditionalString":
            return f"conditionalString({part(ValueType.BOOL)}, {part(wanted)}, {part(wanted)})"
        case "+":
            return f"({part(wanted)} + {part(wanted)} + {part(wanted)})"
        case "[]":
            return f"({part(ValueType.STRING_MAP)})[{part(ValueType.STRING)}]"
        case "[key]":
            return f"({part(ValueType.STRING_MAP)})[{quoted(draw(st.sampled_from(KEYS)))}]"
        case "convert":
            return f"{_BY_STRING[wanted]}({part(ValueType.STRING)})"
        case "==" | "!=":
            compared = one_of(_COMPARED)
            return f"({part(compared)} {shape} {part(compared)})"
        case "<" | "<=" | ">" | ">=":
            compared = one_of(_ORDERED)
            return f"({part(compared)} {shape} {part(compared)})"
        case "&&" | "||":
            return f"({part(wanted)} {shape} {part(wanted)})"
        case "match":
            return f"match({part(ValueType.STRING)}, {part(ValueType.STRING)})"
        case _:
            return f"({part(ValueType.STRING)}).{shape}({part(ValueType.STRING)})"


_CEL_LITERALS: dict[ValueType, tuple[str, ...]] = {
    ValueType.STRING: ('"a"', "'k'", r'"\x61\u0062"', 'r"a|b"', '"10s"', '""', "'é'"),
    ValueType.INT64: ("0", "1", "0x2", "-1"),
    ValueType.BOOL: ("true", "false"),
    ValueType.TIMESTAMP: ('timestamp("1970-01-01T00:00:00Z")',),
}
CEL_TYPES = tuple(_CEL_LITERALS)
_CEL_SHAPES: dict[ValueType, tuple[str, ...]] = {
    ValueType.BOOL: (
        *("leaf", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "&&", "||", "!", "?"),
        *("has", "has key", "key in", "in", "startsWith", "endsWith", "contains", "matches"),
    ),
    ValueType.STRING: ("leaf", "?", "key", "key", "lowerAscii"),
    ValueType.INT64: ("leaf", "?", "size"),
    ValueType.TIMESTAMP: ("leaf", "?"),
}


@st.composite
def cel_texts_of(
    draw: Callable[[st.SearchStrategy[str]], str],
    wanted: ValueType,
    depth: int = 2,
    names: Mapping[ValueType, tuple[str, ...]] = NAMES,
) -> str:
    """The same in CEL."""
    if depth == 0:
        return draw(st.sampled_from((*names.get(wanted, ()), *_CEL_LITERALS[wanted])))
    shape = draw(st.sampled_from(_CEL_SHAPES[wanted]))

    def part(value_type: ValueType) -> str:
        return draw(cel_texts_of(value_type, depth - 1, names))

    def any_type() -> ValueType:
        return ValueType[draw(st.sampled_from([each.name for each in CEL_TYPES]))]

    def map_name() -> str:
        return draw(st.sampled_from(names[ValueType.STRING_MAP]))

    def key() -> str:
        return draw(st.sampled_from((".k", '["x-y"]', "['10s']")))

    match shape:
        case "leaf":
            return draw(cel_texts_of(wanted, 0, names))
        case "?":
            return f"({part(ValueType.BOOL)} ? {part(wanted)} : {part(wanted)})"
        case "==" | "!=" | "<" | "<=" | ">" | ">=":
            compared = any_type()
            if compared is ValueType.BOOL:
                return f"({part(compared)} == {part(compared)})"
            return f"({part(compared)} {shape} {part(compared)})"
        case "&&" | "||":
            return f"({part(wanted)} {shape} {part(wanted)})"
        case "!":
            return f"!{part(wanted)}"
        case "has":
            known = [name for found in names.values() for name in found]
            return f"has({draw(st.sampled_from(known))})"
        case "has key":
            return f"has({map_name()}{key()})"
        case "key in":
            return f"('k' in {map_name()})"
        case "in":
            compared = any_type()
            return f"({part(compared)} in [{part(compared)}, {part(compared)}])"
        case "key":
            return f"{map_name()}{key()}"
        case "size":
            return draw(st.sampled_from(("({}).size()", "size({})"))).format(part(ValueType.STRING))
        case "lowerAscii":
            return f"({part(wanted)}).lowerAscii()"
        case _:
            return f"({part(ValueType.STRING)}).{shape}({part(ValueType.STRING)})"


def _shapes(wanted: ValueType) -> tuple[str, ...]:
    shapes = ["leaf", "|", "|", "conditional"]
    if wanted in _ADDED:
        shapes.append("+")
    if wanted in _BY_STRING:
        shapes.append("convert")
    if wanted is ValueType.STRING:
        shapes += ["conditionalString", "[]", "[key]", "[key]"]
    if wanted is ValueType.BOOL:
        shapes += ["==", "!=", "<", "<=", ">", ">=", "&&", "||", "match", "matches", "startsWith", "endsWith"]
    return tuple(shapes)


types = st.sampled_from([each.name for each in TYPES]).map(ValueType.__getitem__)
cel_types = st.sampled_from([each.name for each in CEL_TYPES]).map(ValueType.__getitem__)
