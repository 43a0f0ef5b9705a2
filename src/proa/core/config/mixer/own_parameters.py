"""What handlers say of the adapters that Mixer did not have: their parameters are Proa's own. `catalogue` has them
beside those of 2018, `own_faults` judges them.

All of these send what was reported to a server, in batches, and try again while it is away.
"""

from typing import Annotated, Literal

from immutables import Map

from proa.core.config.mixer.parameters import Adapter, Buckets, MetricKind, Part, Span
from proa.core.config.record import Double, Filled, Int32, Numbered


class Sending(Adapter, frozen=True, kw_only=True):
    """Of all that send. Every `flush_interval` what came is sent, in batches of at most `batch_size`; a batch that has
    not been taken for `retry_for` is given up."""

    flush_interval: Span | None = None
    batch_size: Int32 | None = None
    retry_for: Span | None = None


class InfluxMetric(Part, frozen=True, kw_only=True):
    """`dimensions` that become tags: all unless some are named."""

    instance_name: str = ""
    measurement: str = ""
    dimensions: tuple[Filled, ...] = ()


class Influxdb(Sending, frozen=True, kw_only=True):
    """`database` with `user` and `password` is InfluxDB 1, `bucket` with `org` and `token` is 2."""

    url: str = ""
    database: str = ""
    retention_policy: str = ""
    user: str = ""
    password: str = ""
    bucket: str = ""
    org: str = ""
    token: str = ""
    precision: Literal["ns", "us", "ms", "s"] = "ns"
    tags: Map[str, str] = Map()
    metrics: tuple[InfluxMetric, ...] = ()


class OtlpMetric(Part, frozen=True, kw_only=True):
    """`dimensions` that become attributes: all unless some are named."""

    instance_name: str = ""
    name: str = ""
    description: str = ""
    unit: str = ""
    kind: MetricKind = "UNSPECIFIED"
    buckets: Buckets | None = None
    dimensions: tuple[Filled, ...] = ()


class OtlpLog(Part, frozen=True, kw_only=True):
    """`body` is the variable that becomes the record's body; all others are attributes."""

    instance_name: str = ""
    body: str = ""


class Otlp(Sending, frozen=True, kw_only=True):
    """`endpoint` is `http://host:port`, or `https://` for TLS, whichever protocol is spoken there. Of spans the share
    and the tags mean what Zipkin's do."""

    endpoint: str = ""
    protocol: Annotated[Literal["GRPC", "HTTP"], Numbered()] = "GRPC"
    headers: Map[str, str] = Map()
    resource: Map[str, str] = Map()
    metrics: tuple[OtlpMetric, ...] = ()
    logs: tuple[OtlpLog, ...] = ()
    sample_probability: Double | None = None
    client_service_tag: str = ""
    server_service_tag: str = ""


class Zipkin(Sending, frozen=True, kw_only=True):
    """`url` is the whole address to which spans are posted. Of all traces the share `sample_probability` is sent, the
    same ones by every handler of that share; absent: all. `..._service_tag`: which tag names that end of a span."""

    url: str = ""
    sample_probability: Double | None = None
    headers: Map[str, str] = Map()
    client_service_tag: str = ""
    server_service_tag: str = ""
