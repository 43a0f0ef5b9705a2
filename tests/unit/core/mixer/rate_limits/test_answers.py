from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse

from proa.core.mixer.quota.limits import Left
from proa.core.mixer.rate_limits.answers import Spent, answer


def headers(response: RateLimitResponse) -> dict[str, str]:
    return {each.key: each.value for each in response.response_headers_to_add}


def spent(quota: str = "requestcount", granted: int = 0, wait_ms: int | None = 3200, **more: bool) -> Spent:
    left = Left(maximum=2, window_ms=5000, amount=0, wait_ms=wait_ms)
    return Spent(quota=quota, asked=1, granted=granted, left=left, **more)


def test_who_passes_is_told_nothing() -> None:
    assert answer([]) == RateLimitResponse(overall_code=RateLimitResponse.OK)
    assert answer([spent(granted=1)]) == RateLimitResponse(overall_code=RateLimitResponse.OK)


def test_who_is_refused_is_told_which_quota_and_when_to_come_again() -> None:
    response = answer([spent("other", granted=1), spent()])
    assert response.overall_code == RateLimitResponse.OVER_LIMIT
    assert response.raw_body == b"RESOURCE_EXHAUSTED:Quota is exhausted for: requestcount"
    assert headers(response) == {
        "retry-after": "4",
        "ratelimit-policy": '"requestcount";q=2;w=5',
        "ratelimit": '"requestcount";r=0;t=4',
        "x-ratelimit-limit": '2, 2;w=5;name="requestcount"',
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": "4",
    }
    assert dict(response.dynamic_metadata) == {"exhausted": "requestcount"}


def test_nobody_is_told_to_come_again_where_waiting_does_not_help() -> None:
    found = headers(answer([spent(wait_ms=None)]))
    assert "retry-after" not in found
    assert found["ratelimit"] == '"requestcount";r=0'
    assert "x-ratelimit-reset" not in found


def test_a_counter_has_no_window() -> None:
    left = Left(maximum=2, window_ms=0, amount=0, wait_ms=None)
    found = headers(answer([Spent(quota="a", asked=1, granted=0, left=left)]))
    assert (found["ratelimit-policy"], found["x-ratelimit-limit"]) == ('"a";q=2', '2, 2;name="a"')


def test_a_handler_that_does_not_tell_refuses_all_the_same() -> None:
    response = answer([Spent(quota="a", asked=1, granted=0)])
    assert response.overall_code == RateLimitResponse.OVER_LIMIT
    assert headers(response) == {}


def test_what_only_tries_refuses_nobody_and_is_told_to_the_log() -> None:
    response = answer([spent(is_dry=True)])
    assert response.overall_code == RateLimitResponse.OK
    assert headers(response) == {}
    assert dict(response.dynamic_metadata) == {"dry_run": "requestcount"}
