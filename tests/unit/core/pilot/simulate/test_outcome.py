"""Every end can be asked the same questions."""

from proa.core.pilot.simulate import Answered, Candidate, Forwarded, Outcome, Plain, Refused

CANDIDATE = Candidate(address="10.0.0.1", port=80, transport=Plain())


def test_three_ends() -> None:
    ends = (Forwarded(cluster="c", candidates=(CANDIDATE,)), Answered(status=503, cluster="c"), Refused())
    outcomes = [Outcome(listener="l", end=end) for end in ends]
    assert [each.cluster for each in outcomes] == ["c", "c", ""]
    assert [each.status for each in outcomes] == [0, 503, 0]
    assert [each.candidates for each in outcomes] == [(CANDIDATE,), (), ()]
