"""Whether the parameters of adapters that report make sense: metrics, logs, traces. `parameter_faults` asks."""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from proa.core.config.jwt_keys import web_address_fault
from proa.core.config.mixer.parameters import (
    Buckets,
    Circonus,
    CloudWatch,
    Dogstatsd,
    Fluentd,
    Prometheus,
    PrometheusMetric,
    SignalFx,
    SolarWinds,
    Stackdriver,
    Statsd,
    Stdio,
)
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.record import Record
from proa.core.config.tree import shorten

_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METRIC: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_MOST_BUCKETS: Final = 200
_PAPERTRAIL: Final = re.compile(r"logs\d+\.papertrailapp\.com:\d{3,5}")
_HOST_AND_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]*):([0-9]{1,5})")
_AMOUNTS: Final = (
    *("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes"),
    *("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Count"),
)
_UNITS: Final = frozenset(
    (
        "",
        "None",
        "Seconds",
        "Microseconds",
        "Milliseconds",
        "Percent",
        *(f"{unit}{ending}" for unit in _AMOUNTS for ending in ("", "/Second", "_Second")),
    )
)


def host_and_port_fault(text: str) -> str | None:
    found = _HOST_AND_PORT.fullmatch(text)
    if found and 1 <= int(found[2]) <= 65535:
        return None
    return f'"{shorten(text)}" is no address; write host:port'


def plain_name(name: str) -> str:
    """Of a metric or label of Prometheus, as its adapter wrote it."""
    return re.sub("[/. ]", "_", name.removeprefix("/")).replace("-", "")


def _check_address(address: str, at: Path) -> Iterator[Finding]:
    """Empty is the adapter's default."""
    if address and (fault := host_and_port_fault(address)):
        yield Finding((*at, "address"), "bad-value", fault)


def check_share(share: float | None, name: str, at: Path) -> Iterator[Finding]:
    if share is not None and not 0 <= share <= 1:
        yield Finding((*at, name), "out-of-range", "a share is between 0 and 1; write one")


def _check_not_negative(number: int | None, name: str, at: Path) -> Iterator[Finding]:
    if number is not None and number < 0:
        yield Finding((*at, name), "out-of-range", "it is not negative; write 0 or more")


def _check_circonus(spec: Circonus, at: Path) -> Iterator[Finding]:
    if not spec.submission_url:
        yield Finding((*at, "submissionUrl"), "required", "it needs an address; write submissionUrl")
    elif fault := web_address_fault(spec.submission_url):
        yield Finding((*at, "submissionUrl"), "bad-value", fault)
    if spec.submission_interval is not None and spec.submission_interval < 1000:
        message = "metrics are sent at most every second; write 1s"
        yield Finding((*at, "submissionInterval"), "out-of-range", message)


def _check_cloudwatch(spec: CloudWatch, at: Path) -> Iterator[Finding]:
    if not spec.namespace:
        yield Finding((*at, "namespace"), "required", "metrics are in a namespace; write it")
    for name, metric in spec.metric_info.items():
        if metric.unit not in _UNITS:
            message = f'"{shorten(metric.unit)}" is no unit; write one like Count, Seconds or Bytes'
            yield Finding((*at, "metricInfo", name, "unit"), "bad-value", message)
    for name, log in spec.logs.items():
        yield from _check_template(log.payload_template, (*at, "logs", name, "payloadTemplate"))


def _check_dogstatsd(spec: Dogstatsd, at: Path) -> Iterator[Finding]:
    yield from _check_address(spec.address, at)
    yield from _check_not_negative(spec.buffer_length, "bufferLength", at)
    yield from check_share(spec.sample_rate, "sampleRate", at)
    for name, metric in spec.metrics.items():
        if metric.type in ("UNKNOWN", "UNKNOWN_TYPE"):
            yield _typeless((*at, "metrics", name, "type"))


def _typeless(at: Path) -> Finding:
    return Finding(at, "required", "a metric needs its type; write one like COUNTER")


def _check_fluentd(spec: Fluentd, at: Path) -> Iterator[Finding]:
    yield from _check_address(spec.address, at)


def _check_prometheus(spec: Prometheus, at: Path) -> Iterator[Finding]:
    taken: dict[str, int] = {}
    for index, metric in enumerate(spec.metrics):
        place = (*at, "metrics", index)
        if not metric.instance_name:
            yield Finding(
                (*place, "instanceName"), "required", "a metric is of an instance; write instanceName"
            )
        if metric.kind == "UNSPECIFIED":
            yield Finding(
                (*place, "kind"), "required", "a metric needs its kind; write COUNTER, GAUGE or DISTRIBUTION"
            )
        name = plain_name(metric.name or metric.instance_name)
        if name and not _METRIC.fullmatch(name):
            message = f'"{shorten(name)}" is no name of a metric; write letters, digits and _'
            yield Finding((*place, "name"), "bad-value", message)
        full = f"{plain_name(metric.namespace) or 'istio'}_{name}"
        if name and full in taken:
            message = f"metric {taken[full]} is {full} already; give one of them another name"
            yield Finding((*place, "name"), "duplicate", message)
        taken.setdefault(full, index)
        yield from _check_labels(metric, (*place, "labelNames"))
        if metric.buckets is not None:
            yield from check_buckets(metric.buckets, (*place, "buckets"))
            if metric.kind in ("COUNTER", "GAUGE"):
                message = f"a {metric.kind} has no buckets; write DISTRIBUTION, or remove them"
                yield warning((*place, "buckets"), "no-effect", message)


def _check_labels(metric: PrometheusMetric, at: Path) -> Iterator[Finding]:
    taken: set[str] = set()
    for number, label in enumerate(metric.label_names):
        plain = plain_name(label)
        if label and not _LABEL.fullmatch(plain):
            message = f'"{shorten(label)}" is no label; write letters, digits and _'
            yield Finding((*at, number), "bad-value", message)
        elif plain.startswith("__") or (plain == "le" and metric.kind == "DISTRIBUTION"):
            message = f'"{shorten(label)}" is a label of Prometheus\' own; write another name'
            yield Finding((*at, number), "bad-value", message)
        elif plain in taken:
            yield Finding((*at, number), "duplicate", f"{plain} is a label already; remove one of them")
        taken.add(plain)


def check_buckets(buckets: Buckets, at: Path) -> Iterator[Finding]:
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
    for name, some in (("linearBuckets", linear), ("exponentialBuckets", exponential)):
        if some is not None and some.num_finite_buckets > _MOST_BUCKETS:
            message = f"more than {_MOST_BUCKETS} buckets cost every series as many counters; write less"
            yield Finding((*at, name, "numFiniteBuckets"), "out-of-range", message)
    if explicit is not None:
        yield from _check_bounds(explicit.bounds, (*at, "explicitBuckets", "bounds"))


def _check_bounds(bounds: tuple[float, ...], at: Path) -> Iterator[Finding]:
    if not bounds:
        yield Finding(at, "required", "buckets have bounds; write them in order")
    if list(bounds) != sorted(set(bounds)):
        yield Finding(at, "bad-value", "bounds grow; write them in order")
    if len(bounds) > _MOST_BUCKETS:
        message = f"more than {_MOST_BUCKETS} buckets cost every series as many counters; write less"
        yield Finding(at, "out-of-range", message)


def _check_signalfx(spec: SignalFx, at: Path) -> Iterator[Finding]:
    if not spec.access_token:
        yield Finding((*at, "accessToken"), "required", "it needs a token; write accessToken")
    if not spec.metrics:
        yield Finding((*at, "metrics"), "required", "it needs metrics; write one")
    if spec.ingest_url and (fault := web_address_fault(spec.ingest_url)):
        yield Finding((*at, "ingestUrl"), "bad-value", fault)
    if spec.datapoint_interval is not None and spec.datapoint_interval < 500:
        message = "metrics are sent at most every second; write 1s"
        yield Finding((*at, "datapointInterval"), "out-of-range", message)
    for index, metric in enumerate(spec.metrics):
        if not metric.name:
            yield Finding(
                (*at, "metrics", index, "name"), "required", "a metric is of an instance; write its name"
            )
        if metric.type == "NONE":
            yield _typeless((*at, "metrics", index, "type"))


def _check_solarwinds(spec: SolarWinds, at: Path) -> Iterator[Finding]:
    if not 0 <= spec.appoptics_batch_size <= 1000:
        message = "a batch has up to 1000 metrics; write that or less"
        yield Finding((*at, "appopticsBatchSize"), "out-of-range", message)
    if spec.papertrail_url and not _PAPERTRAIL.search(spec.papertrail_url):
        message = f'"{shorten(spec.papertrail_url)}" is no address there; write logs0.papertrailapp.com:8080'
        yield Finding((*at, "papertrailUrl"), "bad-value", message)
    for name, log in spec.logs.items():
        yield from _check_template(log.payload_template, (*at, "logs", name, "payloadTemplate"))


def _check_stackdriver(spec: Stackdriver, at: Path) -> Iterator[Finding]:
    given = [each for each in (spec.app_credentials, spec.api_key, spec.service_account_path) if each]
    if len(given) > 1:
        message = "appCredentials, apiKey and serviceAccountPath exclude each other; keep one"
        yield Finding(at, "conflict", message)
    for name, metric in spec.metric_info.items():
        if metric.buckets is not None:
            yield from check_buckets(metric.buckets, (*at, "metricInfo", name, "buckets"))
    for name, log in spec.log_info.items():
        yield from _check_template(log.payload_template, (*at, "logInfo", name, "payloadTemplate"))
    if spec.trace is not None:
        yield from check_share(spec.trace.sample_probability, "sampleProbability", (*at, "trace"))


def _check_statsd(spec: Statsd, at: Path) -> Iterator[Finding]:
    yield from _check_address(spec.address, at)
    yield from _check_not_negative(spec.flush_bytes, "flushBytes", at)
    yield from check_share(spec.sampling_rate, "samplingRate", at)
    for name, metric in spec.metrics.items():
        place = (*at, "metrics", name)
        if metric.type == "UNKNOWN":
            yield _typeless((*place, "type"))
        yield from _check_template(metric.name_template, (*place, "nameTemplate"))


def _check_template(text: str, at: Path) -> Iterator[Finding]:
    """Of Go's text templates the braces: what is in them is for whoever fills them."""
    rest = re.sub(r"\{\{[^{}]+\}\}", "", text)
    if "{{" in rest or "}}" in rest:
        yield Finding(at, "bad-value", "braces of the template do not pair; write {{.name}} for a dimension")


def _check_stdio(spec: Stdio, at: Path) -> Iterator[Finding]:
    is_file = spec.log_stream in ("FILE", "ROTATED_FILE")
    if is_file and not spec.output_path:
        yield Finding((*at, "outputPath"), "required", f"{spec.log_stream} needs a path; write outputPath")
    if not is_file and spec.output_path:
        message = f"{spec.log_stream} is no file; write FILE or ROTATED_FILE, or remove the path"
        yield Finding((*at, "outputPath"), "conflict", message)
    for name, number in (
        ("maxMegabytesBeforeRotation", spec.max_megabytes_before_rotation),
        ("maxDaysBeforeRotation", spec.max_days_before_rotation),
        ("maxRotatedFiles", spec.max_rotated_files),
    ):
        yield from _check_not_negative(number, name, at)


P = TypeVar("P", bound=Record)
Judge = Callable[[Record, Path], Iterator[Finding]]


def judge_of(schema: type[P], check: Callable[[P, Path], Iterator[Finding]]) -> tuple[type[Record], Judge]:
    """A row of the table of those who judge."""

    def judge(parameters: Record, at: Path) -> Iterator[Finding]:
        assert isinstance(parameters, schema)
        yield from check(parameters, at)

    return schema, judge


REPORTING: Final[Mapping[type[Record], Judge]] = MappingProxyType(
    dict(
        (
            judge_of(Circonus, _check_circonus),
            judge_of(CloudWatch, _check_cloudwatch),
            judge_of(Dogstatsd, _check_dogstatsd),
            judge_of(Fluentd, _check_fluentd),
            judge_of(Prometheus, _check_prometheus),
            judge_of(SignalFx, _check_signalfx),
            judge_of(SolarWinds, _check_solarwinds),
            judge_of(Stackdriver, _check_stackdriver),
            judge_of(Statsd, _check_statsd),
            judge_of(Stdio, _check_stdio),
        )
    )
)
"""By the schema."""
