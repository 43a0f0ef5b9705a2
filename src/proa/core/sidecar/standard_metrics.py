"""Istio's standard metrics of one sidecar: what its Envoy counted, joined with who it and its peers are.

Envoys count by rows (`core.model.metering`). The agent, which is scraped, knows the workload itself, and the control
plane tells of peers and hosts. Series that have equal labels in the end are added up.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from immutables import Map

from proa.core.model.metering import METRICS, REMOVED, ROW, STAT_PREFIX, STREAM_METRICS, Row, read_row
from proa.core.model.names import DOMAIN_SUFFIX, WorkloadId, parse_workload_id

UNKNOWN: Final = "unknown"
RAW: Final = f"envoy_{STAT_PREFIX}_"
NAME_LABELS: Final = (
    "service.istio.io/canonical-name",
    "app.kubernetes.io/name",
    "app",
)
REVISION_LABELS: Final = (
    "service.istio.io/canonical-revision",
    "app.kubernetes.io/version",
    "version",
)
SHOWN_LABELS: Final = tuple(dict.fromkeys((*NAME_LABELS, *REVISION_LABELS)))
"""Of a workload's labels those that metrics show: nodes are told no others."""

_PAIR: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?')
_SAMPLE: Final = re.compile(
    rf"{RAW}({'|'.join(METRICS)})(_bucket|_sum|_count)?\{{(.*?)(?:,?le=\"([^\"]*)\")?\}} (\S+)$"
)
_DNS_NAME: Final = re.compile(r"(.+)\.([^.]+)\.workload\.(.+)")
_PLACES: Final = frozenset(("BlackHoleCluster", "PassthroughCluster"))
_HELP: Final = {
    "requests_total": "Requests, counted when they ended.",
    "request_duration_milliseconds": "How long requests took.",
    "request_bytes": "Bytes of requests' bodies.",
    "response_bytes": "Bytes of answers' bodies.",
    "tcp_connections_opened_total": "TCP connections begun.",
    "tcp_connections_closed_total": "TCP connections ended.",
    "tcp_sent_bytes_total": "Bytes that went back to callers, counted when their connection ended.",
    "tcp_received_bytes_total": "Bytes that came from callers, counted when their connection ended.",
}
SECONDS: Final = "istio_request_duration_seconds"
"""Mixer's name of 2018. Its bounds are among Envoy's, so it is made from the milliseconds."""
_SECONDS_BOUNDS: Final = {
    f"{bound:g}": f"{bound / 1000:g}"
    for bound in (5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0, 10000.0)
} | {"+Inf": "+Inf"}


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """The workload whose proxy counted. `principal` is its SPIFFE id; `services` the host behind each service port."""

    id: WorkloadId
    principal: str
    labels: Map[str, str] = Map()
    services: Map[int, str] = Map()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the control plane says of others: labels of workloads (by `namespace/name`), namespaces of hosts."""

    workloads: Mapping[str, Mapping[str, str]] = {}
    hosts: Mapping[str, str] = {}


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an Envoy's page. `block`: its labels but for `le`, as they were written."""

    metric: str
    suffix: str
    block: str
    le: str
    value: float


def read_page(page: str) -> tuple[list[Sample], str]:
    """The standard metrics of a page, and the page without them."""
    samples: list[Sample] = []
    others: list[str] = []
    for line in page.splitlines():
        if RAW not in line:
            others.append(line)
            continue
        found = _SAMPLE.match(line)
        if found is not None:
            metric, suffix, block, le, value = found.groups()
            sample = Sample(metric=metric, suffix=suffix or "", block=block, le=le or "", value=float(value))
            samples.append(sample)
    return samples, "\n".join(others)


def named(samples: Iterable[Sample]) -> tuple[frozenset[str], frozenset[str]]:
    """The workloads and the hosts outside of the mesh's domain that rows name: what `Facts` should know of."""
    workloads: set[str] = set()
    hosts: set[str] = set()
    for block in {sample.block for sample in samples}:
        row = read_row(_pairs(block).get(ROW, ""))
        if row is None:
            continue
        peer = _peer(row)
        if peer is not None:
            workloads.add(str(peer))
        host = _host_of_cluster(row.place) if row.side == "client" else ""
        if host and not host.endswith(f".{DOMAIN_SUFFIX}"):
            hosts.add(host)
    return frozenset(workloads), frozenset(hosts)


class Exposition:
    """Collects the samples of all sidecars and gives them as text, each metric under one TYPE line."""

    def __init__(self, facts: Facts, *, seconds: bool = False) -> None:
        """`seconds`: durations by Mixer's name of 2018 as well."""
        self._facts = facts
        self._seconds = seconds
        self._families: dict[str, dict[tuple[str, str, str], float]] = {}

    def add(self, own: Own, samples: Iterable[Sample]) -> None:
        labels: dict[tuple[bool, str], str | None] = {}
        for sample in samples:
            is_stream = sample.metric in STREAM_METRICS
            key = (is_stream, sample.block)
            if key not in labels:
                labels[key] = joined(own, self._facts, sample.block, is_stream=is_stream)
            text = labels[key]
            if text is None:
                continue
            self._sum(f"istio_{sample.metric}", sample.suffix, text, sample.le, sample.value)
            if self._seconds and sample.metric == "request_duration_milliseconds":
                self._sum_seconds(sample, text)

    def _sum(self, name: str, suffix: str, labels: str, le: str, value: float) -> None:
        family = self._families.setdefault(name, {})
        key = (suffix, labels, le)
        family[key] = family.get(key, 0.0) + value

    def _sum_seconds(self, sample: Sample, labels: str) -> None:
        if sample.suffix == "_bucket":
            bound = _SECONDS_BOUNDS.get(sample.le)
            if bound is not None:
                self._sum(SECONDS, "_bucket", labels, bound, sample.value)
        else:
            scale = 1000.0 if sample.suffix == "_sum" else 1.0
            self._sum(SECONDS, sample.suffix, labels, "", sample.value / scale)

    def text(self) -> str:
        lines: list[str] = []
        for name, family in sorted(self._families.items()):
            kind = "counter" if name.endswith("_total") else "histogram"
            about = _HELP.get(name.removeprefix("istio_"), "How long requests took.")
            lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
            for (suffix, labels, le), value in family.items():
                bound = f',le="{le}"' if le else ""
                lines.append(f"{name}{suffix}{{{labels}{bound}}} {_number(value)}")
        return "\n".join((*lines, "")) if lines else ""


def joined(own: Own, facts: Facts, block: str, *, is_stream: bool) -> str | None:
    """The labels of a series as text. None for what is not to be shown: a stream on its way into a listener of the same
    proxy, which counts it, or a row of another version."""
    pairs = _pairs(block)
    row = read_row(pairs.pop(ROW, ""))
    removed = pairs.pop(REMOVED, "").split(",")
    if row is None or (row.side == "client" and row.place.startswith("connect_")):
        return None
    labels = {**_standard(own, facts, row, is_stream=is_stream), **pairs}
    return ",".join(f'{name}="{value}"' for name, value in labels.items() if name not in removed)


def _standard(own: Own, facts: Facts, row: Row, *, is_stream: bool) -> dict[str, str]:
    """Istio's labels. What Envoy wrote is escaped already."""
    peer = _peer(row)
    if _domain(row.principal) not in ("", _domain(own.principal)):
        peer = None  # a workload of another mesh, whatever its name, is none that we know
    theirs = facts.workloads.get(str(peer), {}) if peer is not None else {}
    us = _party(own.id, own.principal, own.labels)
    other = _party(peer, row.principal, theirs)
    is_client = row.side == "client"
    source, destination = (us, other) if is_client else (other, us)
    service = _service(own, facts, row)
    protocol = "tcp" if is_stream else "grpc" if row.grpc else "http"
    labels = {"reporter": "source" if is_client else "destination"}
    labels |= {f"source_{name}": value for name, value in source.items()}
    labels |= {f"destination_{name}": value for name, value in destination.items()}
    labels |= {
        "destination_service": service[0],
        "destination_service_name": service[1],
        "destination_service_namespace": service[2],
        "request_protocol": protocol,
    }
    if not is_stream:
        labels |= {"response_code": row.code or "0", "grpc_response_status": row.grpc}
    labels["response_flags"] = row.flags or "-"
    policy = {"client": UNKNOWN, "tls": "mutual_tls", "plain": "none"}[row.side]
    labels["connection_security_policy"] = policy
    return labels


def _party(workload: WorkloadId | None, principal: str, labels: Mapping[str, str]) -> dict[str, str]:
    labels = {key: _escaped(value) for key, value in labels.items() if key in SHOWN_LABELS}
    name = workload.name if workload else UNKNOWN
    canonical, revision = canonical_names(workload, labels) if workload else (name, UNKNOWN)
    return {
        "workload": name,
        "workload_namespace": workload.namespace if workload else UNKNOWN,
        "principal": principal or UNKNOWN,
        "app": labels.get("app") or UNKNOWN,
        "version": labels.get("version") or UNKNOWN,
        "canonical_service": canonical,
        "canonical_revision": revision,
    }


def _domain(principal: str) -> str:
    """Of a SPIFFE id, "" of none."""
    return principal.removeprefix("spiffe://").partition("/")[0]


def canonical_names(workload: WorkloadId, labels: Mapping[str, str]) -> tuple[str, str]:
    """Istio's canonical service and revision."""
    service = next((labels[key] for key in NAME_LABELS if labels.get(key)), workload.name)
    return service, next((labels[key] for key in REVISION_LABELS if labels.get(key)), "latest")


def _peer(row: Row) -> WorkloadId | None:
    if not row.peer:
        return None
    if row.side == "client":
        return parse_workload_id(row.peer)
    # The name and the id must be of one domain: a partner's authority writes what names it likes.
    found = _DNS_NAME.fullmatch(row.peer)
    if found is None or not row.principal.startswith(f"spiffe://{found.group(3)}/"):
        return None
    return WorkloadId(found.group(2), found.group(1))


def _service(own: Own, facts: Facts, row: Row) -> tuple[str, str, str]:
    """Host, short name, namespace."""
    if row.side == "client":
        host = _host_of_cluster(row.place)
        if not host:
            return UNKNOWN, row.place if row.place in _PLACES else UNKNOWN, UNKNOWN
    else:
        host = own.services.get(int(row.place), "") if row.place.isdecimal() else ""
        if not host:
            return UNKNOWN, UNKNOWN, own.id.namespace
    if host.endswith(f".{DOMAIN_SUFFIX}"):
        name, _, namespace = host.removesuffix(f".{DOMAIN_SUFFIX}").rpartition(".")
        return host, name, namespace
    return host, host, facts.hosts.get(host) or UNKNOWN


def _host_of_cluster(name: str) -> str:
    """Of `outbound|9080|v1|host`, of the same with `_.` between (passed through unopened), of a tunnel to it."""
    for separator in ("|", "_."):
        start = name.find(f"outbound{separator}")
        parts = name[start:].split(separator, 3) if start >= 0 else []
        if len(parts) == 4:
            return parts[3]
    return ""


def _pairs(block: str) -> dict[str, str]:
    return dict(_pairs_of(block))


def _pairs_of(block: str) -> Iterator[tuple[str, str]]:
    for found in _PAIR.finditer(block):
        yield found.group(1), found.group(2)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
