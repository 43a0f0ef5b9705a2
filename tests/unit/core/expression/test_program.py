import pytest
from immutables import Map

from proa.core.attributes.value_types import INT64_MAX, INT64_MIN, Span, Timestamp, Value, ValueType
from proa.core.attributes.vocabulary import vocabulary_of
from proa.core.expression.program import Program, compile_expression
from proa.core.expression.semantics import EvaluationError

KNOWN = vocabulary_of(
    {
        **dict.fromkeys(("as", "bs", "cs"), ValueType.STRING),
        **dict.fromkeys(("ai", "bi"), ValueType.INT64),
        **dict.fromkeys(("ad", "bd"), ValueType.DOUBLE),
        **dict.fromkeys(("ab", "bb"), ValueType.BOOL),
        **dict.fromkeys(("at", "bt"), ValueType.TIMESTAMP),
        **dict.fromkeys(("aip", "bip"), ValueType.IP_ADDRESS),
        **dict.fromkeys(("amail", "bmail"), ValueType.EMAIL_ADDRESS),
        **dict.fromkeys(("auri", "buri"), ValueType.URI),
        **dict.fromkeys(("adns", "bdns"), ValueType.DNS_NAME),
        **dict.fromkeys(("adur", "bdur"), ValueType.DURATION),
        **dict.fromkeys(("ar", "br"), ValueType.STRING_MAP),
        "$out.ip": ValueType.IP_ADDRESS,
    }
)
V4 = b"\x01\x02\x03\x04"
MAPPED = bytes(10) + b"\xff\xff" + V4


def program(text: str, expected: ValueType | None = None, outputs: bool = False) -> Program:
    found = compile_expression(text, KNOWN, expected, outputs)
    assert isinstance(found, Program), [str(fault) for fault in found]
    return found


def value_of(text: str, **bag: Value) -> Value:
    found = program(text)
    traced = found.trace(bag)
    assert traced.error is None
    value = found.evaluate(bag)
    assert traced.value == value
    return value


def error_of(text: str, **bag: Value) -> EvaluationError:
    found = program(text)
    with pytest.raises(EvaluationError) as error:
        found.evaluate(bag)
    traced = found.trace(bag)
    assert str(traced.error) == str(error.value)
    return error.value


def references(text: str, **bag: Value) -> list[str]:
    return [f"{each} {each.condition}" for each in program(text).trace(bag).references]


@pytest.mark.parametrize(
    ("text", "bag", "value"),
    [
        ("ai", {"ai": 5}, 5),
        ("ai == 2 || ab", {"ai": 2}, True),
        ("ab && bb", {"ab": False}, False),
        ("ai != bi", {"ai": 1, "bi": 2}, True),
        ("aip == bip", {"aip": V4, "bip": MAPPED}, True),
        ("aip != bip", {"aip": V4, "bip": MAPPED}, False),
        ('aip == ip("1.2.3.4")', {"aip": MAPPED}, True),
        ("at < bt", {"at": Timestamp(1), "bt": Timestamp(2)}, True),
        ('at == timestamp("1970-01-01T01:00:00+01:00")', {"at": Timestamp(0)}, True),
        ("adns == bdns", {"adns": "A.b", "bdns": "a.b."}, True),
        ("amail != bmail", {"amail": "a@B", "bmail": "a@b"}, False),
        ("auri == buri", {"auri": "http://A", "buri": "HTTP://a"}, True),
        ('adur >= "19ms"', {"adur": Span(19_000_000)}, True),
        ('adur | "19ms"', {}, Span(19_000_000)),
        ("ad < bd", {"ad": 1.0, "bd": 2.0}, True),
        ("as > bs", {"as": "b", "bs": "a"}, True),
        ("as + bs", {"as": "a", "bs": "b"}, "ab"),
        ('as + "-" + bs', {"as": "a", "bs": "b"}, "a-b"),
        ("ai + bi + 1", {"ai": INT64_MAX, "bi": 0}, INT64_MIN),
        ("ad + bd + 0.5", {"ad": 1.0, "bd": 2.0}, 3.5),
        ("conditional(ab, as, bs)", {"ab": True, "as": "a"}, "a"),
        ("conditionalString(ab, as, bs)", {"ab": False, "as": "a", "bs": "b"}, "b"),
        ('match(as, "a*")', {"as": "ab"}, True),
        ('match(as, "*b")', {"as": "ab"}, True),
        ('match(as, "ab")', {"as": "ab"}, True),
        ("match(as, bs)", {"as": "ab", "bs": "*b"}, True),
        ('"^a.$".matches(as)', {"as": "ab"}, True),
        ("bs.matches(as)", {"as": "ab", "bs": "b$"}, True),
        ("as.startsWith(bs)", {"as": "ab", "bs": "a"}, True),
        ('toLower(as).endsWith("b")', {"as": "AB"}, True),
        ("size(as)", {"as": "é"}, 2),
        ("emptyStringMap()", {}, {}),
        ('(ar)["a"]', {"ar": {"a": "b"}}, "b"),
        ("dnsName(as)", {"as": "a.b"}, "a.b"),
        ("email(as)", {"as": "a@b"}, "a@b"),
        ("uri(as)", {"as": "a"}, "a"),
        ('as == "0"', {"as": "0"}, True),
    ],
)
def test_values(text: str, bag: dict[str, Value], value: Value) -> None:
    found = value_of(text, **bag)
    assert found == (Map(value) if isinstance(value, dict) else value)


@pytest.mark.parametrize("zero", ["", "x"])
def test_the_first_value_is_taken_zero_or_not(zero: str) -> None:
    assert value_of("as | bs", **{"as": zero, "bs": "b"}) == zero
    assert value_of("ai | 7", ai=0) == 0
    assert value_of("ab | true", ab=False) is False
    assert value_of("ar | br", ar={}, br={"a": "b"}) == {}


def test_what_may_be_absent() -> None:
    assert value_of('as | bs | "c"') == "c"
    assert value_of('ar["a"]', ar={}) == ""
    assert value_of('ar["a"] | "c"', ar={}) == "c"
    assert value_of('ar["a"] | "c"') == "c"
    assert value_of('ar[as] | "c"', ar={"a": "b"}) == "c"
    assert value_of('ar[as | "a"] | "c"', ar={"a": "b"}) == "b"
    assert value_of('(ar | br)["a"] | "c"') == "c"
    assert value_of('(ar | br)["a"]', br={"a": "b"}) == "b"
    assert value_of('as | (bs | "c")') == "c"
    assert value_of("conditional(ab, ar, emptyStringMap())[as]", ab=False, **{"as": "x"}) == ""


@pytest.mark.parametrize(
    "text",
    [
        "as",
        "as | bs",
        'ar["a"]',
        'as == "a"',
        "(as == bs) | false",
        "toLower(as) | bs",
        'conditional(as == "a", bs, bs) | bs',
        "ip(as) | aip",
        "(as + bs) | cs",
        "as.startsWith(bs) | true",
        "conditionalString(true, bs, as)",
        '(as | bs)["x"] == ""'.replace("(as | bs)", "(ar | br)"),
    ],
)
def test_absence_that_nothing_rescues(text: str) -> None:
    error = error_of(text, bs="b") if text != "as | bs" else error_of(text)
    assert error.reason == "absent"
    assert str(error) == f"lookup failed: '{error.attribute}'"


def test_other_types_than_declared() -> None:
    bag: dict[str, Value] = {"as": 20, "bs": "b"}
    for text in ("as", "as | bs", 'match(as, "x")'):
        assert error_of(text, **bag).reason == "wrong-type"
    assert error_of('ar["a"] | "c"', ar="text").reason == "wrong-type"
    assert error_of("ai", ai=True).reason == "wrong-type"


@pytest.mark.parametrize(
    "text",
    [
        'ip("10.1.12")',
        "ip(as)",
        "timestamp(as)",
        "dnsName(as)",
        "email(as)",
        "uri(as)",
        '"[".matches(as)',
        "as.matches(bs)",
        "adns == bdns",
        "amail == bmail",
        "auri == buri",
    ],
)
def test_bad_values(text: str) -> None:
    bad = {
        "as": "[ :/",
        "bs": "x",
        "adns": "-",
        "bdns": "-",
        "amail": "",
        "bmail": "",
        "auri": "",
        "buri": "",
    }
    if "uri(" in text:
        bad["as"] = ":/"
    assert error_of(text, **bad).reason == "bad-value"


def test_bad_constants_fail_only_where_they_are_evaluated() -> None:
    assert value_of('aip | ip("10.1.12")', aip=V4) == V4
    assert error_of('"[".matches(as)').reason == "absent"


def test_references() -> None:
    text = 'ai == 20 || ar["foo"] == "bar"'
    assert references(text, ai=20) == ["ai exact"]
    assert references(text, ai=2, ar={"foo": "x"}) == ["ai exact", "ar present", "ar[foo] exact"]
    assert references(text, ai=2, ar={}) == ["ai exact", "ar present", "ar[foo] absent"]
    assert references(text, ai=2) == ["ai exact", "ar absent"]
    assert references('(ar | br)["foo"]', br={}) == ["ar absent", "br present", "br[foo] absent"]
    assert references("ar | br", br={}) == ["ar absent", "br exact"]
    assert references("conditional(ab, as, bs)", ab=True, **{"as": "x"}) == ["ab exact", "as exact"]
    assert references("ar[as]", ar={}) == ["ar present", "as absent"]
    assert references('"[".matches(as)', **{"as": "x"}) == ["as exact"]


def test_what_a_program_says_of_itself() -> None:
    found = program('(ar["x"] | as) == "10s" && as != "b"')
    assert found.attributes == ("ar", "as")
    assert found.type is ValueType.BOOL
    assert program('"10s"', ValueType.STRING).evaluate({}) == "10s"
    assert program("$out.ip | aip", outputs=True).evaluate({"$out.ip": V4}) == V4


def test_faults_instead_of_programs() -> None:
    for text in ("a b", "as == 1", "as"):
        found = compile_expression(text, KNOWN, ValueType.BOOL)
        assert isinstance(found, tuple)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("|".join(["as"] * 4000 + ["cs"]), "c"),
        ("||".join(["ab"] * 3000), False),
        ("+".join(["ai"] * 3000), 3000),
        ("+".join(["cs"] * 3000), "c" * 3000),
        ("(" * 60 + "cs" + ")" * 60, "c"),
        ("conditional(ab, as, " * 30 + "cs" + ")" * 30, "c"),
        ("toLower(" * 60 + "cs" + ")" * 60, "c"),
        ("(as | " * 30 + "cs" + ")" * 30, "c"),
        ("(ab || " * 30 + "ab" + ")" * 30, False),
        ('ar[ar["a"] | ' * 20 + "cs" + "]" * 20 + '| "d"', "d"),
    ],
)
def test_long_and_deep_ones(text: str, value: Value) -> None:
    assert value_of(text, cs="c", ai=1, ab=False, ar={}) == value
