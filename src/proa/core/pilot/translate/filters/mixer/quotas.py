"""The filters that keep requests within their quotas: those that the proxy counts by itself, and calls for the others.

There is one call for the quotas that refuse when nobody answers, and one for those that let pass; the first goes first.
Each says by its domain which quotas it is for, and by its descriptor what of the request they are reckoned from
(`core.mixer.rate_limits`). A request that no rule charges has no descriptor, and nobody is called.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption, RuntimeFractionalPercent
from envoy.config.core.v3.config_source_pb2 import ApiVersion
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.ratelimit.v3.rls_pb2 import RateLimitServiceConfig
from envoy.extensions.filters.http.local_ratelimit.v3.local_rate_limit_pb2 import LocalRateLimit
from envoy.extensions.filters.http.ratelimit.v3.rate_limit_pb2 import RateLimit
from envoy.type.v3.http_status_pb2 import HttpStatus, ServiceUnavailable
from envoy.type.v3.percent_pb2 import FractionalPercent
from envoy.type.v3.token_bucket_pb2 import TokenBucket

from proa.core.mixer.needs import Charged
from proa.core.mixer.rate_limits.descriptors import address_state, rate_limit
from proa.core.mixer.rate_limits.domains import domain_text
from proa.core.pilot.translate.encode import millis, pack, uint32
from proa.core.pilot.translate.filters.mixer.cluster import mixer_calls

STAT_PREFIX: Final = "proa_mixer"
_CERTIFICATE: Final = frozenset(("u", "w"))
_ALL: Final = RuntimeFractionalPercent(
    default_value=FractionalPercent(numerator=100, denominator=FractionalPercent.HUNDRED)
)


def quota_filters(
    charges: tuple[Charged, ...], port: int, *, has_peer: bool
) -> Iterator[TypedExtensionConfig]:
    """At a place of `port`; where it has no peer, no certificate says who calls."""
    for each in charges:
        if each.bucket is not None:
            yield _counted(each)
    asked = [each for each in charges if each.bucket is None]
    parts = _parts(asked, has_peer=has_peer)
    yield from address_state(parts)
    for policy in ("closed", "open"):
        those = [each for each in asked if each.policy == policy]
        if those:
            yield _called(those, port, policy == "closed", has_peer=has_peer)


def _parts(charges: Iterable[Charged], *, has_peer: bool) -> tuple[str, ...]:
    found = {part for each in charges for part in each.parts}
    return tuple(sorted(found if has_peer else found - _CERTIFICATE))


def _called(charges: list[Charged], port: int, is_closed: bool, *, has_peer: bool) -> TypedExtensionConfig:
    asked = "" if any(not each.asked for each in charges) else " || ".join(each.asked for each in charges)
    config = RateLimit(
        domain=domain_text(port, (each.quota for each in charges)),
        rate_limits=[rate_limit(_parts(charges, has_peer=has_peer), asked)],
        # One quota is charged after the other.
        timeout=millis(sum(each.deadline_ms for each in charges)),
        failure_mode_deny=is_closed,
        status_on_error=HttpStatus(code=ServiceUnavailable),
        rate_limited_as_resource_exhausted=True,
        stat_prefix=STAT_PREFIX,
        rate_limit_service=RateLimitServiceConfig(
            transport_api_version=ApiVersion.V3,
            # A charge has an id by which it is known again: what was lost on the way counts once where it is repeated.
            grpc_service=mixer_calls(repeatable=True, in_turn=True),
        ),
    )
    name = f"proa.mixer.quotas.{'closed' if is_closed else 'open'}"
    return TypedExtensionConfig(name=name, typed_config=pack(config))


def _counted(charge: Charged) -> TypedExtensionConfig:
    bucket = charge.bucket
    assert bucket is not None
    seconds = max(-(-bucket.fill_ms // bucket.tokens // 1000), 1)
    config = LocalRateLimit(
        stat_prefix=f"{STAT_PREFIX}_{charge.quota}",
        token_bucket=TokenBucket(
            max_tokens=bucket.tokens,
            tokens_per_fill=uint32(bucket.tokens),
            fill_interval=millis(bucket.fill_ms),
        ),
        filter_enabled=_ALL,
        filter_enforced=_ALL,
        rate_limited_as_resource_exhausted=True,
        response_headers_to_add=[
            HeaderValueOption(
                header=HeaderValue(key="retry-after", value=str(seconds)),
                append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
            )
        ],
    )
    return TypedExtensionConfig(name=f"proa.mixer.bucket.{charge.quota}", typed_config=pack(config))
