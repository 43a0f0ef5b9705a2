import pytest
from immutables import Map

from proa.core.attributes.value_texts import read_value, written_value
from proa.core.attributes.value_types import Value, ValueType, has_type


@pytest.mark.parametrize(
    ("value_type", "written"),
    [
        (ValueType.STRING, "a"),
        (ValueType.INT64, 9151314447095037952),
        (ValueType.DOUBLE, 456.789),
        (ValueType.BOOL, False),
        (ValueType.TIMESTAMP, "2015-01-02T15:04:35Z"),
        (ValueType.DURATION, "19ms"),
        (ValueType.IP_ADDRESS, "1.2.3.4"),
        (ValueType.IP_ADDRESS, ""),
        (ValueType.IP_ADDRESS, "2001:db8::1"),
        (ValueType.DNS_NAME, "a.b"),
        (ValueType.EMAIL_ADDRESS, "a@b"),
        (ValueType.URI, "a:b"),
        (ValueType.STRING_MAP, {"a": "b"}),
    ],
)
def test_values_are_written_as_they_were_read(value_type: ValueType, written: object) -> None:
    value = read_value(written, value_type)
    assert has_type(value, value_type)
    assert written_value(value) == written


@pytest.mark.parametrize(
    ("value_type", "written"),
    [
        (ValueType.STRING, 1),
        (ValueType.INT64, True),
        (ValueType.INT64, 1.0),
        (ValueType.INT64, 2**63),
        (ValueType.DOUBLE, "1"),
        (ValueType.DOUBLE, True),
        (ValueType.BOOL, "true"),
        (ValueType.TIMESTAMP, "now"),
        (ValueType.DURATION, "1"),
        (ValueType.IP_ADDRESS, "1.2.3"),
        (ValueType.STRING_MAP, {"a": 1}),
        (ValueType.STRING_MAP, ["a"]),
        (ValueType.URI, None),
    ],
)
def test_what_is_no_value(value_type: ValueType, written: object) -> None:
    with pytest.raises(ValueError, match=r"expected|texts"):
        read_value(written, value_type)


@pytest.mark.parametrize(("value", "written"), [(float("inf"), "inf"), (Map({"a": "b"}), {"a": "b"}), (2, 2)])
def test_other_values(value: Value, written: object) -> None:
    assert written_value(value) == written
