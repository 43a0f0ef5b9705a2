"""The filters of a place that keep its quotas."""

from envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import LocalRateLimit
from envoy.extensions.filters.http.ratelimit.v3.rate_limit_pb2 import RateLimit
from envoy.extensions.rate_limit_descriptors.expr.v3.expr_pb2 import Descriptor

from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.mixer.needs import Charged
from proa.core.mixer.rate_limits.told import Bucket
from proa.core.model.names import ObjectRef
from proa.core.pilot.translate.filters.mixer.quotas import quota_filters


def charged(
    quota: str,
    policy: FailurePolicy = "open",
    deadline_ms: int = 500,
    parts: tuple[str, ...] = ("h:x", "i", "m"),
    asked: str = "",
    bucket: Bucket | None = None,
) -> Charged:
    return Charged(
        quota=quota,
        specs=(ObjectRef("QuotaSpec", "default", "s"),),
        rules=(ObjectRef("rule", "default", "r"),),
        policy=policy,
        deadline_ms=deadline_ms,
        parts=parts,
        asked=asked,
        bucket=bucket,
    )


def calls(*charges: Charged, has_peer: bool = True) -> list[RateLimit]:
    found = quota_filters(charges, 80, has_peer=has_peer)
    return [
        RateLimit.FromString(each.typed_config.value)
        for each in found
        if each.typed_config.type_url.endswith("ratelimit.v3.RateLimit")
    ]


def keys(config: RateLimit) -> list[str]:
    (limit,) = config.rate_limits
    return [Descriptor.FromString(each.extension.typed_config.value).descriptor_key for each in limit.actions]


def test_nothing_is_charged_where_nothing_is_owed() -> None:
    assert list(quota_filters((), 80, has_peer=True)) == []


def test_quotas_that_refuse_when_nobody_answers_go_first_and_apart() -> None:
    first, second = calls(charged("a"), charged("b", "closed"), charged("c"))
    assert (first.domain, first.failure_mode_deny) == ("proa.mixer/80/b", True)
    assert (second.domain, second.failure_mode_deny) == ("proa.mixer/80/a,c", False)
    assert first.status_on_error.code == 503


def test_nobody_waits_longer_than_the_handlers_may_take() -> None:
    (config,) = calls(charged("a", deadline_ms=200), charged("b", deadline_ms=300))
    assert config.timeout.ToMilliseconds() == 500


def test_all_that_one_of_them_needs_is_told_once() -> None:
    (config,) = calls(charged("a", parts=("h:x", "i", "m", "u")), charged("b", parts=("h:y", "i", "m")))
    assert keys(config) == ["h:x", "h:y", "i", "m", "u"]


def test_where_no_certificate_is_believed_none_is_told() -> None:
    (config,) = calls(charged("a", parts=("h:x", "i", "m", "u", "w")), has_peer=False)
    assert keys(config) == ["h:x", "i", "m"]


def test_nobody_is_called_for_what_none_of_them_charges() -> None:
    (config,) = calls(charged("a", asked="one"), charged("b", asked="other"))
    text = Descriptor.FromString(config.rate_limits[0].actions[0].extension.typed_config.value).text
    assert text == '((one || other) ? "yes" : {}["absent"])'
    (always,) = calls(charged("a", asked="one"), charged("b"))
    assert keys(always) == ["h:x", "i", "m"]


def test_an_address_is_kept_before_it_is_told() -> None:
    found = list(quota_filters((charged("a", parts=("a", "i", "m")),), 80, has_peer=True))
    assert [each.name for each in found] == ["proa.mixer.address", "proa.mixer.quotas.open"]


def test_a_bucket_calls_nobody() -> None:
    (found,) = quota_filters((charged("a", bucket=Bucket(tokens=2, fill_ms=5000)),), 80, has_peer=True)
    config = LocalRateLimit.FromString(found.typed_config.value)
    bucket = config.token_bucket
    assert (bucket.max_tokens, bucket.tokens_per_fill.value, bucket.fill_interval.ToMilliseconds()) == (
        2,
        2,
        5000,
    )
    assert config.filter_enforced.default_value.numerator == 100
    assert config.response_headers_to_add[0].header.value == "3", "a token comes every 2.5 s"
