"""Places as text."""

import pytest

from proa.core.model.locality import Place, place_of


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", Place()),
        ("eu", Place("eu")),
        ("eu/a", Place("eu", "a")),
        ("eu/a/rack/7", Place("eu", "a", "rack/7")),
    ],
)
def test_less_may_be_known(text: str, place: Place) -> None:
    assert place_of(text) == place
