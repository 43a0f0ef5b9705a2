"""The hint in an answer that says no for now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.sidecar.retry import LONGEST_S, retry_after, with_retry


@given(st.text(), st.floats(0, 1000))
def test_what_is_told_is_heard(reason: str, seconds: float) -> None:
    assert abs(retry_after(with_retry(reason, seconds)) - min(seconds, LONGEST_S)) <= 0.051


@pytest.mark.parametrize(
    "text", ["", "no", "retry in 5 s", "; retry in -5 s", "; retry in 1e9 s", "; retry in 3 s x"]
)
def test_any_other_text_is_no_hint(text: str) -> None:
    assert retry_after(text) == 0.0


def test_nobody_is_sent_away_for_long() -> None:
    assert retry_after("busy; retry in 999999 s") == LONGEST_S
