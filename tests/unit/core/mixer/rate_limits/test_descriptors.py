import pytest
from envoy.extensions.rate_limit_descriptors.expr.v3.expr_pb2 import Descriptor

from proa.core.expression.cel import cel_text
from proa.core.mixer.rate_limits.descriptors import ASKED_KEY, address_state, cel_of, rate_limit


def actions(parts: list[str], asked: str = "") -> list[Descriptor]:
    found = rate_limit(parts, asked)
    return [Descriptor.FromString(each.extension.typed_config.value) for each in found.actions]


def test_a_part_that_a_request_lacks_is_left_out_and_the_others_are_told() -> None:
    assert [(each.descriptor_key, each.skip_if_error) for each in actions(["h:x", "u", "c:sub"])] == [
        ("h:x", True),
        ("u", True),
        ("c:sub", True),
    ]


def test_nobody_is_called_where_there_is_nothing_to_charge() -> None:
    first, second = actions(["h:x"], "is_so")
    assert (first.descriptor_key, first.skip_if_error) == (ASKED_KEY, False)
    assert first.text == '((is_so) ? "yes" : {}["absent"])'
    assert second.descriptor_key == "h:x"


def test_a_header_is_read_by_its_name_alone_whatever_that_is() -> None:
    assert cel_text(cel_of('h:a"]b')) == r'request.headers["a\"]b"]'


@pytest.mark.parametrize("part", ["h:", "c:", "l:", "x", "", "a:b", "t"])
def test_what_is_no_part_cannot_be_told(part: str) -> None:
    with pytest.raises(ValueError, match="is no part"):
        cel_of(part)


def test_the_address_is_put_where_no_header_says_another() -> None:
    assert list(address_state(["h:x"])) == []
    (config,) = address_state(["a", "h:x"])
    assert config.typed_config.type_url.endswith("set_filter_state.v3.Config")
