"""Steps of a cluster: what is in force on it, and who stands behind it."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from envoy.config.cluster.v3.cluster_pb2 import Cluster

from proa.core.model.names import cluster_name, parse_cluster_name
from proa.core.pilot.explain.mesh import Known, Proxy
from proa.core.pilot.explain.routes import causes_of, span
from proa.core.pilot.explain.story import Step, Tone
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate import Candidate, Mutual, ServerTls, Transport
from proa.core.pilot.simulate.members import Member, members_of
from proa.core.pilot.simulate.resources import Decoder, objects_of

SHOWN: Final = 8
UNLIMITED: Final = 2**31
_Limit = Literal["max_connections", "max_pending_requests", "max_requests", "max_retries"]
_LIMITS: Final[Mapping[_Limit, str]] = {
    "max_connections": "connections",
    "max_pending_requests": "waiting requests",
    "max_requests": "requests",
    "max_retries": "retries",
}


def cluster_steps(
    known: Known, proxy: Proxy, decoder: Decoder, name: str, candidates: tuple[Candidate, ...]
) -> Iterator[Step]:
    cluster = decoder.cluster(name)
    standing = proxy.behind.get((ResourceType.CLUSTER, name), "")
    if cluster is None:
        yield Step(kind="cluster", text=f"{name}: there is none of that name", tone="bad", standing=standing)
        return
    ways = dict.fromkeys(transport_words(each.transport) for each in candidates)
    spoken = (f"speaks {' or '.join(ways)} with them",) if ways else ()
    yield Step(
        kind="cluster",
        text=name,
        details=(*_force(cluster), *spoken),
        causes=causes_of(known, objects_of(cluster.metadata)),
        standing=standing,
    )
    chosen = {(each.address, each.port) for each in candidates}
    members = members_of(decoder, cluster)
    if not members:
        yield from _unlisted(candidates)
        return
    healthy = [each for each in members if each.health == "HEALTHY"]
    text = f"{len(healthy)} of {len(members)} healthy"
    shown = sorted(members, key=lambda each: ((each.address, each.port) not in chosen, each.priority))
    details = [_member(each, (each.address, each.port) in chosen) for each in shown[:SHOWN]]
    if len(members) > SHOWN:
        details.append(f"and {len(members) - SHOWN} more")
    standing = proxy.behind.get((ResourceType.ENDPOINT, cluster.eds_cluster_config.service_name or name), "")
    tone: Tone = "plain" if candidates else "bad"
    yield Step(kind="endpoints", text=text, details=tuple(details), tone=tone, standing=standing)


def _unlisted(candidates: tuple[Candidate, ...]) -> Iterator[Step]:
    """Of a forward proxy's cluster the one that was named; else there is nobody."""
    for each in candidates:
        yield Step(kind="endpoints", text=f"{each.address}:{each.port}, asked of DNS when it is called")
    if not candidates:
        yield Step(kind="endpoints", text="none", tone="bad")


def _member(member: Member, gets_requests: bool) -> str:
    where = member.address if not member.port else f"{member.address}:{member.port}"
    words = [where]
    if member.workload:
        words.append(member.workload)
    words.append(member.health.lower())
    if member.priority:
        words.append(f"priority {member.priority}")
    if member.weight > 1:
        words.append(f"weight {member.weight}")
    if member.locality:
        words.append(member.locality)
    if not gets_requests and member.health == "HEALTHY":
        words.append("gets nothing now")
    return "  ".join(words)


def _force(cluster: Cluster) -> Iterator[str]:
    words = [Cluster.LbPolicy.Name(cluster.lb_policy).lower().replace("_", " ")]
    if cluster.HasField("connect_timeout"):
        words.append(f"connects within {span(cluster.connect_timeout)}")
    if cluster.type == Cluster.STRICT_DNS:
        words.append("found by DNS")
    if cluster.cluster_type.name:
        words = ["found by DNS when it is called"]
    yield ", ".join(words)
    for threshold in cluster.circuit_breakers.thresholds:
        limits = {
            what: getattr(threshold, name).value for name, what in _LIMITS.items() if threshold.HasField(name)
        }
        bounded = [f"{number} {what}" for what, number in limits.items() if number < UNLIMITED]
        if bounded:
            yield f"at most {', '.join(bounded)}; what is more gets 503 (UO)"
    if cluster.HasField("outlier_detection"):
        found = cluster.outlier_detection
        yield f"ejects after {found.consecutive_5xx.value} errors in a row for {span(found.base_ejection_time)}"


def whole_of(decoder: Decoder, name: str) -> int:
    """How many stand behind the whole service of a subset's cluster; 0 where that is not the question."""
    try:
        direction, port, subset, host = parse_cluster_name(name)
    except ValueError:
        return 0
    whole = decoder.cluster(cluster_name(direction, port, "", host)) if subset else None
    cluster = decoder.cluster(name)
    if whole is None or cluster is None or members_of(decoder, cluster):
        return 0
    return len(members_of(decoder, whole))


def transport_words(transport: Transport) -> str:
    match transport:
        case Mutual():
            return "mesh TLS"
        case ServerTls():
            return f"TLS for {transport.sni or 'no name'}"
        case _:
            return "plain text"
