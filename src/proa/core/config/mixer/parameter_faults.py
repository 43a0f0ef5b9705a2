"""Whether the parameters of Mixer's own adapters make sense: what each adapter refused. The catalogue hands it on.

Here those that decide and count; those that report are judged in `reporting_faults`.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from proa.core.config.hostnames import subnet_fault
from proa.core.config.jwt_keys import web_address_fault
from proa.core.config.mixer.own_faults import OWN
from proa.core.config.mixer.parameters import (
    Bypass,
    Denier,
    KubernetesEnv,
    ListChecker,
    MemQuota,
    Opa,
    Rbac,
    RedisQuota,
    RedisQuotaLimit,
    ServiceControl,
)
from proa.core.config.mixer.reporting_faults import REPORTING, Judge, host_and_port_fault, judge_of
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.record import Record
from proa.core.config.redis_address import parse_redis_address
from proa.core.config.regex import regex_fault
from proa.core.config.tree import shorten

_LAST_STATUS: Final = 16
_MOST_CONNECTIONS: Final = 1000
_STORE: Final = re.compile(r"(k8s|fs)://.*")


def parameter_faults(parameters: Record, at: Path) -> Iterator[Finding]:
    judge = _JUDGES.get(type(parameters))
    if judge is not None:
        yield from judge(parameters, at)


def _check_bypass(spec: Bypass, at: Path) -> Iterator[Finding]:
    if not spec.backend_address:
        yield Finding((*at, "backendAddress"), "required", "it needs a back end; write host:port")
    elif fault := host_and_port_fault(spec.backend_address):
        yield Finding((*at, "backendAddress"), "bad-value", fault)


def _check_denier(spec: Denier, at: Path) -> Iterator[Finding]:
    code = spec.status.code if spec.status else 0
    if not 0 <= code <= _LAST_STATUS:
        message = f"{code} is no status of gRPC; write a number from 0 to {_LAST_STATUS}"
        yield Finding((*at, "status", "code"), "out-of-range", message)
    if (spec.valid_use_count or 0) < 0:
        yield Finding((*at, "validUseCount"), "out-of-range", "a count is not negative; write 0 or more")


def _check_kubernetes(spec: KubernetesEnv, at: Path) -> Iterator[Finding]:
    if spec.cache_refresh_duration == 0:
        message = "a cache lives for some time; write how long, or remove the field"
        yield Finding((*at, "cacheRefreshDuration"), "out-of-range", message)


def _check_list(spec: ListChecker, at: Path) -> Iterator[Finding]:
    if spec.provider_url and (address_fault := web_address_fault(spec.provider_url)):
        yield Finding((*at, "providerUrl"), "bad-value", address_fault)
    if spec.refresh_interval is not None and spec.refresh_interval < 1000:
        yield Finding(
            (*at, "refreshInterval"), "out-of-range", "lists are fetched at most every second; write 1s"
        )
    if spec.ttl is not None and spec.ttl < (
        60_000 if spec.refresh_interval is None else spec.refresh_interval
    ):
        message = (
            "a list would end before it is fetched again; write at least refreshInterval (60s unless set)"
        )
        yield Finding((*at, "ttl"), "conflict", message)
    if (spec.caching_use_count or 0) < 0:
        yield Finding((*at, "cachingUseCount"), "out-of-range", "a count is not negative; write 0 or more")
    for index, entry in enumerate(spec.overrides):
        place = (*at, "overrides", index)
        if spec.entry_type == "IP_ADDRESSES" and (fault := subnet_fault(entry)):
            yield Finding(place, "bad-value", fault)
        elif spec.entry_type == "REGEX" and (fault_of_regex := regex_fault(entry)):
            yield Finding(place, *fault_of_regex)
    if not spec.provider_url and not spec.overrides:
        yield warning((*at, "overrides"), "no-effect", "a list of nothing; write overrides or providerUrl")


def _check_memory(spec: MemQuota, at: Path) -> Iterator[Finding]:
    if spec.min_deduplication_duration == 0:
        message = "repetitions are recognised for some time; write how long, or remove the field"
        yield Finding((*at, "minDeduplicationDuration"), "out-of-range", message)
    for index, quota in enumerate(spec.quotas):
        place = (*at, "quotas", index)
        yield from _check_amount(quota.max_amount, 0, place)
        if not quota.valid_duration:
            yield _never_back(place)
        for number, override in enumerate(quota.overrides):
            at_override = (*place, "overrides", number)
            yield from _check_amount(override.max_amount, 0, at_override)
            if not override.valid_duration:
                yield _never_back(at_override)
        yield from _check_reached([override.dimensions for override in quota.overrides], place)
    yield from _check_names([quota.name for quota in spec.quotas], at)


def _never_back(at: Path) -> Finding:
    message = (
        "without a window nothing is ever given back, and the limit is for all time; write validDuration"
    )
    return warning((*at, "validDuration"), "no-effect", message)


def _check_amount(amount: int, least: int, at: Path) -> Iterator[Finding]:
    if amount < least:
        message = f"an amount is at least {least}; write that or more"
        yield Finding((*at, "maxAmount"), "out-of-range", message)


def _check_names(names: list[str], at: Path) -> Iterator[Finding]:
    for index, name in enumerate(names):
        if name and name in names[:index]:
            message = f'"{shorten(name)}" is limited already, and the first limit counts; remove one'
            yield Finding((*at, "quotas", index, "name"), "duplicate", message)


def _check_reached(overrides: list[Mapping[str, str]], at: Path) -> Iterator[Finding]:
    """An override all of whose instances an earlier one takes."""
    for index, dimensions in enumerate(overrides):
        for earlier, wider in enumerate(overrides[:index]):
            if all(dimensions.get(name) == value for name, value in wider.items()):
                message = (
                    f"override {earlier} takes all that this one is for; move it before that, or remove it"
                )
                yield warning((*at, "overrides", index), "no-effect", message)
                break


def _check_redis(spec: RedisQuota, at: Path) -> Iterator[Finding]:
    for index, quota in enumerate(spec.quotas):
        yield from _check_shared(quota, (*at, "quotas", index))
    yield from _check_names([quota.name for quota in spec.quotas], at)
    if not 0 <= spec.connection_pool_size <= _MOST_CONNECTIONS:
        message = f"a pool has up to {_MOST_CONNECTIONS} connections; write that or less"
        yield Finding((*at, "connectionPoolSize"), "out-of-range", message)
    try:
        parse_redis_address(spec.redis_server_url)
    except ValueError as error:
        yield Finding((*at, "redisServerUrl"), "bad-value", str(error))


def _check_shared(quota: RedisQuotaLimit, at: Path) -> Iterator[Finding]:
    yield from _check_amount(quota.max_amount, 1, at)
    if not quota.valid_duration:
        yield Finding((*at, "validDuration"), "required", "a quota needs its window; write validDuration")
    elif quota.rate_limit_algorithm == "ROLLING_WINDOW" and not (
        0 < (quota.bucket_duration or 0) < quota.valid_duration
    ):
        message = "a rolling window needs buckets shorter than itself; write less than validDuration"
        yield Finding((*at, "bucketDuration"), "out-of-range", message)
    for number, override in enumerate(quota.overrides):
        yield from _check_amount(override.max_amount, 1, (*at, "overrides", number))
    yield from _check_reached([override.dimensions for override in quota.overrides], at)


def _check_opa(spec: Opa, at: Path) -> Iterator[Finding]:
    """With `failClose` everything is denied instead, as it was."""
    if any(not text.strip() for text in spec.policy):
        yield Finding((*at, "policy"), "required", "a policy is empty; write it or remove it")
    kind = warning if spec.fail_close else Finding
    if not spec.policy:
        yield kind((*at, "policy"), "required", "there is no policy to ask; write one")
    if not spec.check_method:
        yield kind(
            (*at, "checkMethod"), "required", "what is to be asked is not said; write the rule's full name"
        )


def _check_rbac(spec: Rbac, at: Path) -> Iterator[Finding]:
    if spec.config_store_url and not _STORE.fullmatch(spec.config_store_url):
        message = (
            f'"{shorten(spec.config_store_url)}" is no store of roles; write k8s://, or remove the field'
        )
        yield Finding((*at, "configStoreUrl"), "bad-value", message)
    elif spec.config_store_url.startswith("fs://"):
        message = "roles are those that are applied to the mesh; apply them, and write k8s:// or nothing"
        yield warning((*at, "configStoreUrl"), "no-effect", message)


def _check_control(spec: ServiceControl, at: Path) -> Iterator[Finding]:
    if not (spec.runtime_config and spec.runtime_config.check_result_expiration):
        place = (*at, "runtimeConfig", "checkResultExpiration")
        yield Finding(place, "required", "verdicts are kept for some time; write how long")
    if not spec.service_configs:
        yield Finding((*at, "serviceConfigs"), "required", "it needs services; write one")
    for index, service in enumerate(spec.service_configs):
        place = (*at, "serviceConfigs", index)
        for name, value in (
            ("meshServiceName", service.mesh_service_name),
            ("googleServiceName", service.google_service_name),
        ):
            if not value:
                yield Finding((*place, name), "required", "a service has two names; write both")
        for number, quota in enumerate(service.quotas):
            if not quota.name:
                yield Finding(
                    (*place, "quotas", number, "name"), "required", "a quota needs its name; write it"
                )
            if not quota.expiration:
                yield Finding(
                    (*place, "quotas", number, "expiration"),
                    "required",
                    "what is granted holds for some time; write how long",
                )


_JUDGES: Final[Mapping[type[Record], Judge]] = MappingProxyType(
    dict(
        (
            judge_of(Bypass, _check_bypass),
            judge_of(Denier, _check_denier),
            judge_of(KubernetesEnv, _check_kubernetes),
            judge_of(ListChecker, _check_list),
            judge_of(MemQuota, _check_memory),
            judge_of(Opa, _check_opa),
            judge_of(Rbac, _check_rbac),
            judge_of(RedisQuota, _check_redis),
            judge_of(ServiceControl, _check_control),
            *REPORTING.items(),
            *OWN.items(),
        )
    )
)
