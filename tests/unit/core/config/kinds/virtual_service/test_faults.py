from proa.core.config import Json
from tests.unit.core.config.judged import judge_rule


def test_an_abort_has_one_status() -> None:
    assert judge_rule(fault={"abort": {"grpcStatus": "UNAVAILABLE"}}) == []
    assert judge_rule(fault={"abort": {"grpcStatus": "unavailable"}}) == ["fault.abort.grpcStatus bad-value"]
    assert judge_rule(fault={"abort": {}}) == ["fault.abort required"]
    assert judge_rule(fault={"abort": {"grpcStatus": "INTERNAL", "httpStatus": 500}}) == [
        "fault.abort conflict"
    ]


def test_what_was_never_in_force_is_told() -> None:
    assert judge_rule(fault={"delay": {"exponentialDelay": "1s"}}) == [
        "fault.delay.exponentialDelay no-effect",
        "fault.delay.fixedDelay required",
    ]
    abort: Json = {"httpStatus": 500, "http2Error": "x"}
    assert judge_rule(fault={"abort": abort}) == ["fault.abort.http2Error no-effect"]
