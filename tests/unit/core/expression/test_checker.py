import pytest

from proa.core.attributes.value_types import Span, ValueType
from proa.core.attributes.vocabulary import vocabulary_of
from proa.core.expression.checker import check
from proa.core.expression.parser import parse
from proa.core.expression.syntax import Fault
from proa.core.expression.typed import Checked, Constant

KNOWN = vocabulary_of(
    {
        "as": ValueType.STRING,
        "bs": ValueType.STRING,
        "ai": ValueType.INT64,
        "ad": ValueType.DOUBLE,
        "ab": ValueType.BOOL,
        "at": ValueType.TIMESTAMP,
        "aip": ValueType.IP_ADDRESS,
        "amail": ValueType.EMAIL_ADDRESS,
        "auri": ValueType.URI,
        "adns": ValueType.DNS_NAME,
        "adur": ValueType.DURATION,
        "ar": ValueType.STRING_MAP,
        "request.headers": ValueType.STRING_MAP,
    }
)


def checked(text: str, expected: ValueType | None = None) -> Checked | tuple[Fault, ...]:
    expression = parse(text)
    assert not isinstance(expression, Fault), str(expression)
    return check(expression, KNOWN, expected)


@pytest.mark.parametrize(
    ("text", "value_type"),
    [
        ("as", ValueType.STRING),
        ('ar["a"]', ValueType.STRING),
        ("(ar | emptyStringMap())[as]", ValueType.STRING),
        ('as == "a" && (ai == 1 || ad != 1.0)', ValueType.BOOL),
        ('aip == ip("1.2.3.4")', ValueType.BOOL),
        ("at == timestamp(as)", ValueType.BOOL),
        ("ai < 1 == ab", ValueType.BOOL),
        ("adur <= adur", ValueType.BOOL),
        ("as > bs", ValueType.BOOL),
        ("ai + 1 + 2", ValueType.INT64),
        ("adns + adns", ValueType.DNS_NAME),
        ("conditional(ab, aip, aip)", ValueType.IP_ADDRESS),
        ("conditional(ab, ar, ar)", ValueType.STRING_MAP),
        ("conditionalString(ab, as, bs)", ValueType.STRING),
        ('"a.*".matches(as)', ValueType.BOOL),
        ("as.startsWith(bs)", ValueType.BOOL),
        ("toLower(as).endsWith(bs)", ValueType.BOOL),
        ("size(as)", ValueType.INT64),
        ("dnsName(as)", ValueType.DNS_NAME),
        ("email(as)", ValueType.EMAIL_ADDRESS),
        ("uri(as)", ValueType.URI),
        ("adur | adur", ValueType.DURATION),
    ],
)
def test_types(text: str, value_type: ValueType) -> None:
    found = checked(text)
    assert isinstance(found, Checked), found
    assert found.type is value_type


@pytest.mark.parametrize(
    ("text", "expected", "value_type"),
    [
        ('"10s"', None, ValueType.DURATION),
        ('"10s"', ValueType.STRING, ValueType.STRING),
        ('"10s"', ValueType.DURATION, ValueType.DURATION),
        ('as | "10s"', None, ValueType.STRING),
        ('"0" | as', None, ValueType.STRING),
        ('adur | "10s"', None, ValueType.DURATION),
        ('"1s" | "2s"', None, ValueType.DURATION),
        ('"1s" | "2s"', ValueType.STRING, ValueType.STRING),
        ('as == "0"', None, ValueType.BOOL),
        ('"0" == "0s"', None, ValueType.BOOL),
        ('"1s" + "2s"', None, ValueType.STRING),
        ('adur < "10s"', None, ValueType.BOOL),
        ('as < "10s"', None, ValueType.BOOL),
        ('ar["0"]', None, ValueType.STRING),
        ('size("0")', None, ValueType.INT64),
        ('"0".startsWith("0")', None, ValueType.BOOL),
        ('conditional(ab, "0", as)', None, ValueType.STRING),
        ('conditional(ab, "0", adur)', None, ValueType.DURATION),
        ('conditional(ab, "0", "1s" | "2s")', ValueType.STRING, ValueType.STRING),
    ],
)
def test_what_reads_as_a_duration_is_what_its_place_wants(
    text: str, expected: ValueType | None, value_type: ValueType
) -> None:
    found = checked(text, expected)
    assert isinstance(found, Checked), found
    assert found.type is value_type


def test_values_of_open_texts_are_settled() -> None:
    found = checked('"10s"')
    assert isinstance(found, Checked)
    assert found.root == Constant(Span(10_000_000_000), ValueType.DURATION)
    found = checked('"10s"', ValueType.STRING)
    assert isinstance(found, Checked)
    assert found.root == Constant("10s", ValueType.STRING)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nobody", 'column 1: there is no attribute "nobody"'),
        ('request.header["a"]', 'did you mean "request.headers"?'),
        ("ai == true", 'column 7: operand 2 of "==" is BOOL and must be INT64'),
        ("as == ai", 'column 7: operand 2 of "==" is INT64 and must be STRING'),
        ("adur == adur", 'the operator "==" does not take DURATION'),
        ("ar == ar", 'the operator "==" does not take STRING_MAP'),
        ("ab < ab", 'the operator "<" does not take BOOL'),
        ("aip < aip", "does not take IP_ADDRESS"),
        ("ab + ab", "does not take BOOL"),
        ("adur + adur", "does not take DURATION"),
        ("at + at", "does not take TIMESTAMP"),
        ("as || ab", 'column 1: operand 1 of "||" is STRING and must be BOOL'),
        ("as | ai", 'operand 2 of "|" is INT64 and must be STRING'),
        ("as | bs | ai", 'operand 3 of "|" is INT64 and must be STRING'),
        ('ai | "10s"', 'operand 2 of "|" is STRING and must be INT64'),
        ('adns == "0"', "is STRING and must be DNS_NAME; convert it by dnsName(...)"),
        ("as[as]", "what is indexed is STRING and must be STRING_MAP"),
        ("ar[ai]", "the index is INT64 and must be STRING"),
        ("ar[adur]", "the index is DURATION and must be STRING"),
        ("!ab", 'column 1: there is no operator "!" before a value; compare with == false'),
        ("-1", 'there is no operator "-" before a value'),
        ("ai * 2", 'there is no operator "*"'),
        ("ai - 2", 'there is no operator "-"'),
        ("nothing()", 'there is no function "nothing"'),
        ("endwith(as)", 'did you mean "endsWith"?'),
        ("endsWith(as)", "endsWith is not called like this; write x.endsWith(...)"),
        ("as.match(bs)", "match is not called like this; write match(...)"),
        ('ip("1.2.3.4", "5")', "ip takes 1 argument, not 2"),
        ("emptyStringMap(as)", "emptyStringMap takes no arguments, not 1"),
        ("as.startsWith()", "startsWith takes 1 argument, not 0"),
        ("as.startsWith(as, bs)", "startsWith takes 1 argument, not 2"),
        ("conditional(ab, as)", "conditional takes 3 arguments, not 2"),
        ("conditional(ai, as, bs)", "argument 1 of conditional is INT64 and must be BOOL"),
        ("conditional(ab, as, ai)", "argument 3 of conditional is INT64 and must be STRING"),
        ("ai.startsWith(as)", "what startsWith is called on is INT64 and must be STRING"),
        ("as.startsWith(23)", "argument 1 of startsWith is INT64 and must be STRING"),
        ("true.startsWith(as)", 'there is no attribute "true"'),
    ],
)
def test_faults(text: str, message: str) -> None:
    found = checked(text)
    assert isinstance(found, tuple)
    assert len(found) == 1
    assert message in str(found[0])


def test_expected_type() -> None:
    assert isinstance(checked("as == bs", ValueType.BOOL), Checked)
    found = checked('as | "x"', ValueType.BOOL)
    assert isinstance(found, tuple)
    assert (
        str(found[0])
        == 'column 4: the expression is STRING and must be BOOL; compare it with something, like == "..."'
    )
    found = checked('"10s"', ValueType.INT64)
    assert isinstance(found, tuple)


def test_all_faults_are_told_in_order_up_to_a_number() -> None:
    found = checked("nobody == 1 && as == 2 && nothing()")
    assert isinstance(found, tuple)
    assert [fault.column for fault in found] == [1, 22, 27]
    found = checked(" && ".join(["nobody"] * 500))
    assert isinstance(found, tuple)
    assert len(found) == 20
