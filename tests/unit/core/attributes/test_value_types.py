import pytest
from immutables import Map

from proa.core.attributes.value_types import INT64_MAX, Span, Timestamp, Value, ValueType, has_type

OF_TYPE: dict[ValueType, Value] = {
    ValueType.STRING: "a",
    ValueType.INT64: INT64_MAX,
    ValueType.DOUBLE: 1.0,
    ValueType.BOOL: True,
    ValueType.TIMESTAMP: Timestamp(1),
    ValueType.IP_ADDRESS: b"\x01\x02\x03\x04",
    ValueType.EMAIL_ADDRESS: "a@b",
    ValueType.URI: "a:b",
    ValueType.DNS_NAME: "a.b",
    ValueType.DURATION: Span(1),
    ValueType.STRING_MAP: {"a": "b"},
}
TEXTS = {ValueType.STRING, ValueType.EMAIL_ADDRESS, ValueType.URI, ValueType.DNS_NAME}


def test_types_are_all_of_the_protocol() -> None:
    assert [each.value for each in ValueType] == list(range(1, 12))


@pytest.mark.parametrize("value_type", ValueType)
def test_values_have_one_type_but_texts(value_type: ValueType) -> None:
    fitting = {other for other, value in OF_TYPE.items() if has_type(value, value_type)}
    assert fitting == (TEXTS if value_type in TEXTS else {value_type})


def test_bounds_of_int64() -> None:
    assert not has_type(INT64_MAX + 1, ValueType.INT64)
    assert has_type(Map({"a": "b"}), ValueType.STRING_MAP)
