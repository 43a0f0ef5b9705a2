"""DestinationPolicies of one host, and the versions that route rules name there, as one DestinationRule.

A policy with labels is that of the subset with these labels; one without is the policy of the host, and of every
subset that has none of its own.
"""

from collections.abc import Iterable, Mapping

import msgspec

from proa.core.config.legacy.draft import SPEC, Draft, Place, duration
from proa.core.config.legacy.routes import labels_of
from proa.core.config.legacy.schema import (
    CircuitBreaker,
    DestinationPolicy,
    LoadBalancing,
    RouteRule,
    SimpleCircuitBreaker,
)
from proa.core.config.legacy.services import full_host, source_labels, subset_name
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef

_LOAD_BALANCERS = {"ROUND_ROBIN": "ROUND_ROBIN", "LEAST_CONN": "LEAST_REQUEST", "RANDOM": "RANDOM"}


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """Labels that a rule or policy names, and where."""

    labels: Mapping[str, str]
    source: ObjectRef
    old: Path


class LabelledPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One policy for one set of labels; `client` are the labels of those whom it is for (empty: for all)."""

    version: Version
    client: Mapping[str, str]
    load_balancing: LoadBalancing | None
    circuit_breaker: CircuitBreaker | None


def versions_of(ref: ObjectRef, rule: RouteRule, host: str) -> Iterable[Version]:
    """What a rule names of a host (in full): where it sends, and where it mirrors."""
    for index, each in enumerate(rule.route):
        labels = labels_of(each)
        if labels and full_host(each.destination or rule.destination, ref.namespace) == host:
            yield Version(labels=labels, source=ref, old=(*SPEC, "route", index, "labels"))
    if rule.mirror is not None and rule.mirror.labels and full_host(rule.mirror, ref.namespace) == host:
        yield Version(labels=rule.mirror.labels, source=ref, old=(*SPEC, "mirror", "labels"))


def policies_of(ref: ObjectRef, policy: DestinationPolicy) -> Iterable[LabelledPolicy]:
    """The object's own policy, or those of its list of 2017."""
    client = source_labels(policy.source, ref.namespace) if policy.source else {}
    own = policy.destination.labels
    if not policy.policy or policy.load_balancing or policy.circuit_breaker:
        yield LabelledPolicy(
            version=Version(labels=own, source=ref, old=SPEC),
            client=client,
            load_balancing=policy.load_balancing,
            circuit_breaker=policy.circuit_breaker,
        )
    for index, each in enumerate(policy.policy):
        yield LabelledPolicy(
            version=Version(labels=each.labels or own, source=ref, old=(*SPEC, "policy", index)),
            client=client,
            load_balancing=each.load_balancing,
            circuit_breaker=each.circuit_breaker,
        )


class _Subsets:
    """Subsets in the order in which their labels are first named."""

    def __init__(self) -> None:
        self.labels: dict[str, Version] = {}
        self.traffic: dict[str, LabelledPolicy] = {}

    def add(self, version: Version) -> Finding | None:
        """A finding when other labels have the name already."""
        name = subset_name(version.labels)
        known = self.labels.setdefault(name, version)
        if dict(known.labels) == dict(version.labels):
            return None
        message = f"these labels and those of {known.source} would both be the subset {name}; change one label's text"
        return Finding(version.old, "conflict", message)


def destination_rule(
    host: str, policies: Iterable[LabelledPolicy], versions: Iterable[Version], client: Mapping[str, str]
) -> tuple[dict[str, Json], list[Place], list[tuple[ObjectRef, Finding]]]:
    """The spec, its places, and what does not go together. `host` as the rule spells it. Of several policies for the
    same instances the first counts, as in 2018."""
    subsets, found = _Subsets(), list[tuple[ObjectRef, Finding]]()
    top: LabelledPolicy | None = None
    for policy in policies:
        name = subset_name(policy.version.labels)
        taken = subsets.traffic.get(name) if name else top
        if taken is not None:
            message = (
                f"{taken.version.source} has the policy of these instances already; this one has no effect"
            )
            found.append((policy.version.source, warning(policy.version.old, "no-effect", message)))
        elif not name:
            top = policy
        else:
            subsets.traffic[name] = policy
            if finding := subsets.add(policy.version):
                found.append((policy.version.source, finding))
    for version in versions:
        if finding := subsets.add(version):
            found.append((version.source, finding))
    spec: dict[str, Json] = {"host": host}
    places: list[Place] = []
    if top is not None:
        draft = _traffic_policy(top)
        spec["trafficPolicy"] = draft.value
        places += [Place((*SPEC, "trafficPolicy"), top.version.source, top.version.old)]
        places += draft.below((*SPEC, "trafficPolicy"))
    written: list[Json] = []
    for name, version in subsets.labels.items():
        at = (*SPEC, "subsets", len(written))
        subset: dict[str, Json] = {
            "name": name,
            "labels": {key: version.labels[key] for key in sorted(version.labels)},
        }
        places.append(Place(at, version.source, version.old))
        if name in subsets.traffic:
            draft = _traffic_policy(subsets.traffic[name])
            subset["trafficPolicy"] = draft.value
            places += draft.below((*at, "trafficPolicy"))
        written.append(subset)
    if written:
        spec["subsets"] = written
    if client:
        spec["workloadSelector"] = {"matchLabels": {key: client[key] for key in sorted(client)}}
    return spec, places, found


def _traffic_policy(policy: LabelledPolicy) -> Draft:
    draft = Draft(policy.version.source)
    old = policy.version.old
    if policy.load_balancing is not None:
        simple = _LOAD_BALANCERS[policy.load_balancing.name]
        draft.put(("loadBalancer", "simple"), simple, (*old, "loadBalancing", "name"))
    if policy.circuit_breaker is not None and policy.circuit_breaker.simple_cb is not None:
        _put_breaker(draft, policy.circuit_breaker.simple_cb, (*old, "circuitBreaker", "simpleCb"))
    return draft


def _put_breaker(draft: Draft, breaker: SimpleCircuitBreaker, old: Path) -> None:
    numbers: dict[tuple[Path, str], int] = {
        (("connectionPool", "tcp", "maxConnections"), "maxConnections"): breaker.max_connections,
        (
            ("connectionPool", "http", "http1MaxPendingRequests"),
            "httpMaxPendingRequests",
        ): breaker.http_max_pending_requests,
        (("connectionPool", "http", "http2MaxRequests"), "httpMaxRequests"): breaker.http_max_requests,
        (
            ("connectionPool", "http", "maxRequestsPerConnection"),
            "httpMaxRequestsPerConnection",
        ): breaker.http_max_requests_per_connection,
        (("connectionPool", "http", "maxRetries"), "httpMaxRetries"): breaker.http_max_retries,
        # Any 5xx ejected in 2018; today's consecutiveErrors counts 502 to 504 alone.
        (
            ("outlierDetection", "consecutive5xxErrors"),
            "httpConsecutiveErrors",
        ): breaker.http_consecutive_errors,
        (
            ("outlierDetection", "maxEjectionPercent"),
            "httpMaxEjectionPercent",
        ): breaker.http_max_ejection_percent,
    }
    for (at, name), number in numbers.items():
        if number:
            draft.put(at, number, (*old, name))
    spans = {
        ("interval", "httpDetectionInterval"): breaker.http_detection_interval,
        ("baseEjectionTime", "sleepWindow"): breaker.sleep_window,
    }
    for (today, name), span in spans.items():
        if span is not None:
            draft.put(("outlierDetection", today), duration(span), (*old, name))
