from immutables import Map

from proa.core.config.attribute_values import Attributes, AttributeValue, check_attributes


def test_an_attribute_has_one_value() -> None:
    values = Map(
        {
            "a": AttributeValue(int64_value=0),
            "b": AttributeValue(),
            "c": AttributeValue(string_value="", bool_value=False),
        }
    )
    found = {each.path[-1]: each.code for each in check_attributes(Attributes(attributes=values), ())}
    assert found == {"b": "required", "c": "conflict"}
    assert list(check_attributes(None, ())) == []


def test_an_attribute_has_a_name() -> None:
    values = Map({"": AttributeValue(string_value="a")})
    assert [each.code for each in check_attributes(Attributes(attributes=values), ())] == ["required"]
