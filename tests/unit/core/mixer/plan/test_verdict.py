from hypothesis import given
from hypothesis import strategies as st

from proa.core.expression.tracing import Reference
from proa.core.mixer.plan.values import Action, Call
from proa.core.mixer.plan.verdict import (
    Answered,
    Charged,
    CheckAnswer,
    Failure,
    QuotaVerdict,
    Verdict,
    combine,
    combine_charges,
    united,
)
from proa.core.mixer.quota.limits import Grant
from proa.core.model.names import ObjectRef

DOWN = Failure(reason="it is away")


def call(handler: str, policy: str = "closed") -> Call:
    action = Action(handler=handler, instance="i", variety="check")
    return Call(
        rule=ObjectRef("rule", "default", handler),
        action=action,
        policy="closed" if policy == "closed" else "open",
    )


def answered(handler: str, answer: CheckAnswer | Failure, policy: str = "closed") -> Answered:
    return Answered(call=call(handler, policy), answer=answer)


def test_where_nobody_was_asked_all_is_well_for_a_minute() -> None:
    assert combine([]) == Verdict(valid_ms=60_000, valid_uses=10_000)


def test_the_first_denial_counts_and_all_are_told() -> None:
    found = combine(
        [
            answered("a", CheckAnswer(valid_ms=9000, valid_uses=7)),
            answered("b", CheckAnswer(code=7, message="no", valid_ms=5000, valid_uses=1000)),
            answered("c", CheckAnswer(code=9, message="never", valid_ms=8000, valid_uses=9)),
        ]
    )
    assert (found.code, found.message) == (7, "b:no, c:never")
    assert found.rule == call("b").rule
    assert (found.valid_ms, found.valid_uses) == (5000, 7)


answers = st.builds(
    CheckAnswer,
    code=st.sampled_from([0, 0, 7, 9]),
    message=st.sampled_from(["", "no", "never"]),
    valid_ms=st.integers(0, 9),
    valid_uses=st.integers(-1, 9),
)


@given(st.lists(answers, min_size=1, max_size=4))
def test_together_they_are_believed_no_longer_and_no_more_often_than_each(found: list[CheckAnswer]) -> None:
    whole = combine([answered(str(number), each) for number, each in enumerate(found)])
    assert (whole.code == 0) == (whole.rule is None) == all(each.code == 0 for each in found)
    for each in found:
        assert whole.valid_ms <= each.valid_ms
        assert each.valid_uses < 0 or 0 <= whole.valid_uses <= each.valid_uses
    assert (whole.valid_uses < 0) == all(each.valid_uses < 0 for each in found)


def test_a_failure_is_what_the_rule_says_and_good_for_one_request() -> None:
    closed = combine([answered("a", CheckAnswer()), answered("b", DOWN)])
    assert (closed.code, closed.message, closed.valid_ms, closed.valid_uses) == (14, "b:it is away", 0, 0)
    opened = combine([answered("a", CheckAnswer()), answered("b", DOWN, "open")])
    assert (opened.code, opened.message, opened.valid_ms, opened.valid_uses) == (0, "", 0, 0)
    assert [each.action.handler for each, _ in opened.failed] == ["b"]
    unmade = combine([answered("a", Failure(reason="no attribute", code=13))])
    assert unmade.code == 13


def test_the_least_that_is_granted_counts() -> None:
    charged = [
        Charged(call=call("a"), answer=Grant(amount=5, valid_ms=1000)),
        Charged(call=call("b"), answer=Grant(amount=3, valid_ms=2000)),
    ]
    assert combine_charges(charged, 5) == QuotaVerdict(amount=3, valid_ms=1000)
    assert combine_charges([], 5) == QuotaVerdict(amount=5, valid_ms=60_000)


def test_a_quota_that_cannot_be_charged_is_what_the_rule_says() -> None:
    opened = combine_charges([Charged(call=call("a", "open"), answer=DOWN)], 5)
    closed = combine_charges([Charged(call=call("a"), answer=DOWN)], 5)
    assert (opened.amount, opened.valid_ms, len(opened.failed)) == (5, 0, 1)
    assert (closed.amount, closed.valid_ms, len(closed.failed)) == (0, 0, 1)


def test_references_are_united() -> None:
    path = Reference("request.path", None, "exact")
    key = Reference("request.headers", "a", "absent")
    there, whole = (
        Reference("request.headers", None, "present"),
        Reference("request.headers", None, "exact"),
    )
    assert united([path, there], [key, path]) == (there, key, path)
    assert united([there], [whole]) == (whole,)
