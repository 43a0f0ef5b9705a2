"""Verdicts in words."""

import pytest

from proa.core.pilot.explain.endings import answered, arrived, refused
from proa.core.pilot.simulate import Answered, Candidate, Check, Outcome, Plain, Refused


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (Answered(status=404, flag="NR"), "404: no route for it"),
        (Answered(status=503, flag="NC", cluster="c"), "503: there is no cluster c"),
        (Answered(status=503, flag="UH", cluster="BlackHoleCluster"), "503: what the rule sends to is not there"),
        (
            Answered(status=503, flag="UH", cluster="outbound|80|v1|a.b"),
            "503: nobody healthy is behind subset v1 of a.b, port 80",
        ),
        (Answered(status=503, flag="UH", cluster="odd"), "503: nobody healthy is behind odd"),
        (Answered(status=500, flag="FI"), "500: a fault answers it"),
        (Answered(status=302, location="http://x/"), "302: redirected to http://x/"),
    ],
)  # fmt: skip
def test_answers(end: Answered, said: str) -> None:
    assert answered(Outcome(listener="l", end=end), end, (), 0.25).text == said


def test_a_check_that_failed_is_the_reason() -> None:
    end = Answered(status=403)
    check = Check(filter="rbac", passed=False, why="not from there")
    assert (
        answered(Outcome(listener="l", end=end, checks=(check,)), end, (), 1.0).text == "403: not from there"
    )


def test_shares_are_percents() -> None:
    candidate = Candidate(address="unix:///a", port=0, transport=Plain())
    assert arrived("default/a", candidate, 0.5).share == 50.0
    assert arrived("", candidate, 0.5).text == "reaches unix:///a, where no proxy is known"
    assert refused(Outcome(listener="l", end=Refused(), why=("closed",)), 1.0).text.endswith("closed")
