"""What is wrong is taken out, and no more than that."""

from proa.core.config import Json
from proa.core.config.kinds import find_kind
from proa.core.config.meta import Meta
from proa.testing.strategies.mending import mended

META = Meta(name="a", namespace="default")
GOOD: Json = {"route": [{"destination": {"host": "a"}}]}


def virtual_service(spec: Json) -> Json:
    row = find_kind("vs")
    assert row is not None
    return mended(row, spec, META)


def test_what_is_fine_stays_as_it_is() -> None:
    spec: Json = {"hosts": ["a"], "http": [GOOD]}
    assert virtual_service(spec) == spec


def test_a_wrong_value_goes_alone() -> None:
    wrong: Json = {"route": [{"destination": {"host": "a", "subset": "a b"}}], "timeout": "soon"}
    assert virtual_service({"hosts": ["a"], "http": [wrong, GOOD]}) == {"hosts": ["a"], "http": [GOOD, GOOD]}


def test_what_lacks_something_goes_with_all_that_needs_it() -> None:
    assert virtual_service({"hosts": ["a"], "http": [{"name": "empty"}, GOOD]}) == {
        "hosts": ["a"],
        "http": [GOOD],
    }


def test_of_nothing_good_nothing_is_left() -> None:
    assert virtual_service({"hosts": ["a", 7]}) is None
    assert virtual_service("text") is None
