from proa.core.expression.tracing import Reference
from proa.core.mixer.answers import answer
from proa.core.mixer.asked import Asked
from proa.core.mixer.decision import Decision

ASKED = Asked(headers={":path": "/a", "user": "ann"})
USER = Reference("request.headers", "user", "exact")


def test_a_refusal_has_the_status_of_2018_and_can_be_kept() -> None:
    decision = Decision(status=9, message="deny:not today", rule="shop/deny", references=(USER,), uses=-1)
    response = answer(decision, ASKED)
    assert response.status.code == 9
    assert response.denied_response.status.code == 400
    assert response.denied_response.body == "deny:not today"
    assert dict(response.dynamic_metadata) == {
        "shape": "h:user",
        "key": "3:ann",
        "ttl_ms": 60_000,
        "uses": -1,
        "code": 400,
        "grpc": 9,
        "body": "deny:not today",
        "message": "deny:not today",
        "rule": "shop/deny",
    }


def test_what_nobody_else_may_use_says_nothing_about_keeping() -> None:
    unique = Reference("request.time", None, "exact")
    for decision in (
        Decision(references=(unique,)),
        Decision(valid_ms=0),
        Decision(uses=0),
        Decision(references=(Reference("request.headers", "long", "exact"),)),
    ):
        response = answer(decision, Asked(headers={"long": "x" * 5000}))
        assert response.HasField("ok_response")
        assert "shape" not in response.dynamic_metadata


def test_a_message_that_is_too_long_is_cut() -> None:
    response = answer(Decision(status=7, message="x" * 9000), ASKED)
    assert len(response.denied_response.body) == 1024
    assert response.dynamic_metadata["body"] == response.denied_response.body
