"""The control plane's own metrics, read from the owners of state when somebody asks."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proa.control_plane.admission import Gate
from proa.control_plane.proxies import Proxies
from proa.control_plane.refusals import Refusals
from proa.control_plane.registrations import Registrations
from proa.control_plane.token_keys import TokenKeys
from proa.control_plane.world import World
from proa.core.pilot.resource import ResourceType

CONVERGENCE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds; from a change among connected idle proxies to a proxy that has been paused."""


class _State(Collector):
    def __init__(
        self,
        world: World,
        proxies: Proxies,
        registrations: Registrations,
        gate: Gate,
        refusals: Refusals,
        denials: Refusals,
        token_keys: TokenKeys,
    ) -> None:
        self._world = world
        self._gate = gate
        self._refusals = refusals
        self._denials = denials
        self._token_keys = token_keys
        self._proxies = proxies
        self._registrations = registrations

    def collect(self) -> Iterable[Metric]:
        nodes = self._registrations.nodes()
        gauges = (
            ("proa_connected_proxies", "Proxies with an open xDS stream", len(self._proxies.streams())),
            ("proa_connected_nodes", "Node agents with an open session", sum(nodes.values())),
            ("proa_registered_workloads", "Workloads in the model", len(self._world.snapshot.workloads)),
            ("proa_services", "Services in the model", len(self._world.snapshot.services)),
            ("proa_config_objects", "Configuration objects in force", len(self._world.snapshot.configs)),
            ("proa_xds_streams_waiting", "Streams that wait for their turn to begin", self._gate.waiting),
            ("proa_xds_streams_filling", "Streams on their way to a first full set", self._gate.filling),
            (
                "proa_xds_responses_held",
                "Responses that proxies have not read or answered",
                sum(stream.held for stream in self._proxies.streams()),
            ),
            ("proa_loop_lag_seconds", "How late the event loop ran at the last look", self._gate.lag_s),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(name, text, value=value)
        yield CounterMetricFamily("proa_xds_nacks", "Resources refused by proxies", value=self._proxies.nacks)
        yield CounterMetricFamily(
            "proa_xds_streams_admitted", "Streams that were let in to begin", value=self._gate.admitted
        )
        limited = CounterMetricFamily(
            "proa_limited", "Requests refused or made to wait for their amount", labels=["reason", "node"]
        )
        for (reason, node), count in self._refusals.counts.items():
            limited.add_metric([reason, node], count)
        yield limited
        denied = CounterMetricFamily(
            "proa_denied", "Callers refused for what they are or ask", labels=["reason", "caller"]
        )
        for (reason, caller), count in self._denials.counts.items():
            denied.add_metric([reason, caller], count)
        yield denied
        yield from self._of_token_keys()
        sent = CounterMetricFamily(
            "proa_xds_resources_sent", "Resources put into responses to proxies", labels=["type"]
        )
        for kind in ResourceType:
            sent.add_metric([kind.name.lower()], self._proxies.resources_sent[kind])
        yield sent
        built = CounterMetricFamily(
            "proa_built_resources", "Builder runs that no cache saved", labels=["builder"]
        )
        for name, count in self._world.memo.built.items():
            built.add_metric([name], count)
        yield built

    def _of_token_keys(self) -> Iterable[Metric]:
        fetches = CounterMetricFamily(
            "proa_token_key_fetches", "Fetches of the keys of end users' tokens", labels=["result"]
        )
        for result, count in self._token_keys.counts.items():
            fetches.add_metric([result], count)
        yield fetches
        sources = GaugeMetricFamily(
            "proa_token_key_sources",
            "Sources of keys by how they stand: the tokens of a missing one are refused",
            labels=["state"],
        )
        for state, count in self._token_keys.states().items():
            sources.add_metric([state], count)
        yield sources


def build_registry(
    world: World,
    proxies: Proxies,
    registrations: Registrations,
    gate: Gate,
    refusals: Refusals,
    denials: Refusals,
    token_keys: TokenKeys,
    identity: Collector,
) -> CollectorRegistry:
    """`identity` adds what it knows (`control_plane.identity_metrics`). Also hooks the convergence
    histogram to the proxies."""
    registry = CollectorRegistry()
    registry.register(_State(world, proxies, registrations, gate, refusals, denials, token_keys))
    registry.register(identity)
    convergence = Histogram(
        "proa_convergence_seconds",
        "From a folded change until every proxy it concerns has taken it",
        buckets=CONVERGENCE_BUCKETS,
        registry=registry,
    )
    proxies.convergence = convergence.observe
    return registry
