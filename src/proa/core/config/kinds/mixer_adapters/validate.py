"""Whether handlers of Mixer's adapters make sense: what each adapter refused. Called through the kinds table."""

import re
from collections.abc import Iterator
from typing import Final

from proa.core.config.hostnames import subnet_fault
from proa.core.config.jwt_keys import web_address_fault
from proa.core.config.kinds.mixer_adapters.schema import (
    Adapter,
    Buckets,
    Denier,
    ListChecker,
    MemQuota,
    Opa,
    Prometheus,
    RedisQuota,
    Stackdriver,
)
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.regex import regex_fault
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LAST_STATUS: Final = 16


def validate(spec: Adapter, _meta: Meta) -> Iterator[Finding]:
    match spec:
        case Denier():
            code = spec.status.code if spec.status else 0
            if not 0 <= code <= _LAST_STATUS:
                message = f"{code} is no status of gRPC; write a number from 0 to {_LAST_STATUS}"
                yield Finding((*SPEC, "status", "code"), "out-of-range", message)
        case ListChecker():
            yield from _check_list(spec)
        case MemQuota():
            for index, quota in enumerate(spec.quotas):
                if quota.max_amount < 0:
                    at = (*SPEC, "quotas", index, "maxAmount")
                    yield Finding(at, "out-of-range", "an amount is not negative; write 0 or more")
        case Opa():
            if any(not text.strip() for text in spec.policy):
                yield Finding((*SPEC, "policy"), "required", "a policy is empty; write it or remove it")
        case Prometheus():
            yield from _check_prometheus(spec)
        case RedisQuota():
            yield from _check_redis(spec)
        case Stackdriver():
            given = [each for each in (spec.app_credentials, spec.api_key, spec.service_account_path) if each]
            if len(given) > 1:
                message = "appCredentials, apiKey and serviceAccountPath exclude each other; keep one"
                yield Finding(SPEC, "conflict", message)
        case _:
            pass


def _check_list(spec: ListChecker) -> Iterator[Finding]:
    if spec.provider_url and (address_fault := web_address_fault(spec.provider_url)):
        yield Finding((*SPEC, "providerUrl"), "bad-value", address_fault)
    if spec.refresh_interval is not None and spec.refresh_interval < 1000:
        yield Finding(
            (*SPEC, "refreshInterval"), "out-of-range", "lists are fetched at most every second; write 1s"
        )
    if spec.ttl is not None and spec.refresh_interval is not None and spec.ttl < spec.refresh_interval:
        message = "a list would end before it is fetched again; write at least refreshInterval"
        yield Finding((*SPEC, "ttl"), "conflict", message)
    for index, entry in enumerate(spec.overrides):
        at = (*SPEC, "overrides", index)
        if spec.entry_type == "IP_ADDRESSES" and (fault := subnet_fault(entry)):
            yield Finding(at, "bad-value", fault)
        elif spec.entry_type == "REGEX" and (fault_of_regex := regex_fault(entry)):
            yield Finding(at, *fault_of_regex)


def _check_prometheus(spec: Prometheus) -> Iterator[Finding]:
    for index, metric in enumerate(spec.metrics):
        at = (*SPEC, "metrics", index)
        if not metric.instance_name:
            yield Finding((*at, "instanceName"), "required", "a metric is of an instance; write instanceName")
        for number, label in enumerate(metric.label_names):
            if label and not _LABEL.fullmatch(label):
                message = f'"{shorten(label)}" is no label; write letters, digits and _'
                yield Finding((*at, "labelNames", number), "bad-value", message)
        if metric.buckets is not None:
            yield from _check_buckets(metric.buckets, (*at, "buckets"))


def _check_buckets(buckets: Buckets, at: Path) -> Iterator[Finding]:
    linear, exponential, explicit = (
        buckets.linear_buckets,
        buckets.exponential_buckets,
        buckets.explicit_buckets,
    )
    if sum(each is not None for each in (linear, exponential, explicit)) != 1:
        yield Finding(at, "conflict", "buckets are one of linear, exponential and explicit; write one")
    if linear is not None and (linear.num_finite_buckets <= 0 or linear.width <= 0):
        yield Finding(
            (*at, "linearBuckets"), "out-of-range", "number and width of buckets are greater than 0"
        )
    if exponential is not None and (
        exponential.num_finite_buckets <= 0 or exponential.growth_factor <= 1 or exponential.scale <= 0
    ):
        message = "the number and scale of buckets are greater than 0, their growth greater than 1"
        yield Finding((*at, "exponentialBuckets"), "out-of-range", message)
    if explicit is not None and list(explicit.bounds) != sorted(set(explicit.bounds)):
        yield Finding((*at, "explicitBuckets", "bounds"), "bad-value", "bounds grow; write them in order")


def _check_redis(spec: RedisQuota) -> Iterator[Finding]:
    for index, quota in enumerate(spec.quotas):
        at = (*SPEC, "quotas", index)
        if quota.max_amount <= 0:
            yield Finding((*at, "maxAmount"), "out-of-range", "an amount is at least 1; write that")
        if not quota.valid_duration:
            yield Finding((*at, "validDuration"), "required", "a quota needs its window; write validDuration")
        elif quota.rate_limit_algorithm == "ROLLING_WINDOW" and not (
            0 < (quota.bucket_duration or 0) < quota.valid_duration
        ):
            message = "a rolling window needs buckets shorter than itself; write less than validDuration"
            yield Finding((*at, "bucketDuration"), "out-of-range", message)
