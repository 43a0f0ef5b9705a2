"""The story's own judgements."""

import pytest

from proa.core.pilot.explain.story import Cause, Explanation, Verdict


def test_a_cause_says_where_it_stands() -> None:
    assert str(Cause(object="Gateway/a/b")) == "Gateway/a/b"
    assert str(Cause(object="V/a/b", rule="http[0]", file="x.yaml", line=3)) == "V/a/b http[0] (x.yaml:3)"
    assert str(Cause(object="V/a/b", version=7)) == "V/a/b (version 7)"
    assert str(Cause(object="V/a/b", file="x.yaml", line=1, version=7)) == "V/a/b (x.yaml:1, version 7)"


@pytest.mark.parametrize(
    ("verdict", "arrives"),
    [
        (Verdict(end="arrives", text=""), True),
        (Verdict(end="leaves", text=""), True),
        (Verdict(end="answered", text="", status=301), True),
        (Verdict(end="answered", text="", status=404), False),
        (Verdict(end="refused", text=""), False),
        (Verdict(end="refused", text="", status=503), False),
    ],
)
def test_what_counts_as_well(verdict: Verdict, arrives: bool) -> None:
    good = Verdict(end="arrives", text="")
    assert Explanation(request="", hops=(), verdicts=(good, verdict)).arrives == arrives
