import msgspec
from google.protobuf.json_format import MessageToDict

from proa.core.expression.tracing import Reference
from proa.core.mixer.answers import answer, decided_by, kept
from proa.core.mixer.asked import Asked
from proa.core.mixer.plan.values import Action, Call
from proa.core.mixer.plan.verdict import Failure, Verdict
from proa.core.mixer.verdict.shapes import Unkept
from proa.core.model.names import ObjectRef

ASKED = Asked(headers={":path": "/a", "user": "ann"})
USER = Reference("request.headers", "user", "exact")
DENY = ObjectRef("rule", "shop", "deny")
CALL = Call(rule=DENY, action=Action(handler="h", instance="i", variety="check"), policy="open")


def test_a_refusal_has_the_status_of_2018_and_can_be_kept() -> None:
    verdict = Verdict(
        code=9, message="deny:not today", rule=DENY, references=(USER,), valid_uses=-1, rules="digest"
    )
    response = answer(verdict, ASKED, "open")
    assert response.status.code == 9
    assert response.denied_response.status.code == 400
    assert response.denied_response.body == "FAILED_PRECONDITION:deny:not today"
    assert MessageToDict(response.dynamic_metadata)["open"] == {
        "shape": "h:user",
        "key": "3:ann",
        "ttl_ms": 60_000,
        "uses": -1,
        "code": 400,
        "grpc": 9,
        "body": "FAILED_PRECONDITION:deny:not today",
        "message": "FAILED_PRECONDITION:deny:not today",
        "rule": "shop/deny",
        "rules": "digest",
    }
    unkept = answer(msgspec.structs.replace(verdict, valid_ms=0), ASKED)
    told = MessageToDict(unkept.dynamic_metadata)["closed"]
    assert told == {"rule": "shop/deny", "grpc": 9, "body": "FAILED_PRECONDITION:deny:not today"}


def test_what_nobody_else_may_use_says_nothing_about_keeping() -> None:
    unique = Reference("request.time", None, "exact")
    asked = Asked(headers={"long": "x" * 5000})
    for verdict, why in (
        (Verdict(references=(unique,)), "no two requests share it"),
        (Verdict(valid_ms=0), "it holds for one request"),
        (Verdict(valid_uses=0), "it holds for one request"),
        (Verdict(valid_ms=0, failed=((CALL, Failure(reason="away")),)), "a call failed"),
        (Verdict(references=(Reference("request.headers", "long", "exact"),)), "too long in this request"),
    ):
        unkept = kept(verdict, asked)
        assert isinstance(unkept, Unkept)
        assert why in unkept.reason
        response = answer(verdict, asked)
        assert response.HasField("ok_response")
        assert not response.dynamic_metadata


def test_nobody_decides_what_is_allowed() -> None:
    assert (decided_by(Verdict()), decided_by(Verdict(code=7, rule=DENY))) == ("", "shop/deny")


def test_a_message_that_is_too_long_is_cut() -> None:
    response = answer(Verdict(code=7, message="x" * 9000), ASKED)
    assert len(response.denied_response.body) == 1024
    assert MessageToDict(response.dynamic_metadata)["closed"]["body"] == response.denied_response.body
