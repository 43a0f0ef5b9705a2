"""Whether the parameters of our own adapters make sense. `parameter_faults` asks."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from proa.core.config.durations import duration_text
from proa.core.config.jwt_keys import web_address_fault
from proa.core.config.mixer.own_parameters import Influxdb, Otlp, Sending, Zipkin
from proa.core.config.mixer.reporting_faults import Judge, check_buckets, check_share, judge_of
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.record import Record
from proa.core.config.tree import shorten

_SHORTEST_MS: Final = 100
_LONGEST_MS: Final = 3_600_000
_MOST_IN_BATCH: Final = 50_000
_HEADER: Final = re.compile(r"[a-z0-9_.-]+")


def _check_sending(spec: Sending, at: Path) -> Iterator[Finding]:
    for name, value in (("flushInterval", spec.flush_interval), ("retryFor", spec.retry_for)):
        if value is not None and not _SHORTEST_MS <= value <= _LONGEST_MS:
            message = (
                f"it is between {duration_text(_SHORTEST_MS)} and {duration_text(_LONGEST_MS)}; write one"
            )
            yield Finding((*at, name), "out-of-range", message)
    if spec.batch_size is not None and not 1 <= spec.batch_size <= _MOST_IN_BATCH:
        message = f"a batch is between 1 and {_MOST_IN_BATCH}; write one"
        yield Finding((*at, "batchSize"), "out-of-range", message)


def _check_url(url: str, name: str, at: Path) -> Iterator[Finding]:
    if not url:
        message = f"where it is sent must be said; write {name}, like http://host:port"
        yield Finding((*at, name), "required", message)
    elif fault := web_address_fault(url):
        yield Finding((*at, name), "bad-value", fault)


def _check_instances(names: Iterable[str], field: str, at: Path) -> Iterator[Finding]:
    taken: dict[str, int] = {}
    for index, name in enumerate(names):
        place = (*at, field, index, "instanceName")
        if not name:
            yield Finding(place, "required", "it is of an instance; write instanceName")
        elif name in taken:
            message = f"{shorten(name)} has {field}[{taken[name]}] already; keep one of them"
            yield Finding(place, "duplicate", message)
        taken.setdefault(name, index)


def _check_influxdb(spec: Influxdb, at: Path) -> Iterator[Finding]:
    yield from _check_sending(spec, at)
    yield from _check_url(spec.url, "url", at)
    yield from _check_instances((metric.instance_name for metric in spec.metrics), "metrics", at)
    if bool(spec.database) == bool(spec.bucket):
        kind = "conflict" if spec.database else "required"
        message = "points go to a database (InfluxDB 1) or to a bucket (InfluxDB 2); write one of them"
        yield Finding((*at, "database"), kind, message)
        return
    if spec.bucket:
        for name, value in (("org", spec.org), ("token", spec.token)):
            if not value:
                yield Finding((*at, name), "required", f"a bucket needs org and token; write {name}")
        odd: tuple[tuple[str, str], ...] = (
            ("retentionPolicy", spec.retention_policy),
            ("user", spec.user),
            ("password", spec.password),
        )
        other = "a bucket"
    else:
        odd = ("org", spec.org), ("token", spec.token)
        other = "a database"
        if bool(spec.user) != bool(spec.password):
            yield Finding((*at, "password"), "required", "user and password go together; write both")
    for name, value in odd:
        if value:
            yield Finding((*at, name), "conflict", f"{other} has no {name}; remove it")


def _check_headers(headers: Iterable[str], at: Path) -> Iterator[Finding]:
    for name in headers:
        if not _HEADER.fullmatch(name) or name.startswith("grpc-") or name.endswith("-bin"):
            message = (
                f'"{shorten(name)}" is no header to be set; write small letters, digits, "-", "_" and "."'
            )
            yield Finding((*at, "headers", name), "bad-value", message)


def _check_otlp(spec: Otlp, at: Path) -> Iterator[Finding]:
    yield from _check_sending(spec, at)
    yield from _check_url(spec.endpoint, "endpoint", at)
    yield from _check_instances((metric.instance_name for metric in spec.metrics), "metrics", at)
    yield from _check_instances((log.instance_name for log in spec.logs), "logs", at)
    yield from check_share(spec.sample_probability, "sampleProbability", at)
    yield from _check_headers(spec.headers, at)
    for index, metric in enumerate(spec.metrics):
        place = (*at, "metrics", index)
        if metric.buckets is not None:
            yield from check_buckets(metric.buckets, (*place, "buckets"))
            if metric.kind != "DISTRIBUTION":
                message = "only a DISTRIBUTION has buckets; write that kind, or remove them"
                yield warning((*place, "buckets"), "no-effect", message)


def _check_zipkin(spec: Zipkin, at: Path) -> Iterator[Finding]:
    yield from _check_sending(spec, at)
    yield from _check_url(spec.url, "url", at)
    yield from check_share(spec.sample_probability, "sampleProbability", at)
    yield from _check_headers(spec.headers, at)


OWN: Final[Mapping[type[Record], Judge]] = MappingProxyType(
    dict((judge_of(Influxdb, _check_influxdb), judge_of(Otlp, _check_otlp), judge_of(Zipkin, _check_zipkin)))
)
"""By the schema."""
