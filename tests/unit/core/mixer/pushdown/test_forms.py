import pytest

from proa.core.config.mixer.parameters import ListChecker
from proa.core.mixer.pushdown.forms import value_answer


@pytest.mark.parametrize(
    ("parameters", "value", "code"),
    [
        (ListChecker(overrides=("a",)), "a", 0),
        (ListChecker(overrides=("a",)), "b", 5),
        (ListChecker(overrides=("a",), blacklist=True), "a", 7),
        (ListChecker(overrides=("10.0.0.0/8",), entry_type="IP_ADDRESSES"), "10.1.2.3", 0),
        (ListChecker(overrides=("10.0.0.0/8",), entry_type="IP_ADDRESSES"), "ten", 3),
    ],
)
def test_a_list_that_is_in_the_parameters_answers(parameters: ListChecker, value: str, code: int) -> None:
    assert value_answer(parameters, value).code == code
