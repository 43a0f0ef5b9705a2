from hypothesis import given
from hypothesis import strategies as st

from proa.core.expression.tracing import Reference
from proa.core.mixer.decision import Decision, combined

PATH = Reference("request.path", None, "exact")
USER = Reference("request.headers", "user", "absent")
decisions = st.builds(
    Decision,
    status=st.sampled_from([0, 0, 7, 9]),
    message=st.sampled_from(["", "a:no", "b:never"]),
    valid_ms=st.integers(0, 9),
    uses=st.integers(-1, 9),
    references=st.sets(st.sampled_from([PATH, USER])).map(tuple),
    rule=st.sampled_from(["ns/a", "ns/b"]),
)


def test_the_first_refusal_gives_the_status_and_all_their_reasons() -> None:
    found = combined(
        [
            Decision(references=(PATH,), valid_ms=500),
            Decision(status=7, message="deny:no", rule="shop/deny", uses=3, references=(USER,)),
            Decision(status=9, message="list:not there", rule="shop/list", valid_ms=900),
        ]
    )
    assert (found.status, found.http_status, found.rule) == (7, 403, "shop/deny")
    assert found.message == "deny:no, list:not there"
    assert (found.valid_ms, found.uses) == (500, 3)
    assert found.references == (USER, PATH)


def test_where_nobody_says_anything_it_is_allowed() -> None:
    assert combined([]) == Decision(valid_ms=60_000, uses=10_000)


@given(st.lists(decisions, min_size=1, max_size=4))
def test_together_they_are_believed_no_longer_than_each(found: list[Decision]) -> None:
    whole = combined(found)
    assert (whole.status == 0) == all(each.status == 0 for each in found)
    for each in found:
        assert whole.valid_ms <= each.valid_ms
        assert each.uses < 0 or 0 <= whole.uses <= each.uses
        assert set(each.references) <= set(whole.references)
    assert combined([whole]) == whole
