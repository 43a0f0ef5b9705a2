"""What is counted of partners' bundles: who relies on an endpoint wants to know before its last good one is too old."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proa.control_plane.federation import Federations


class FederationMetrics(Collector):
    def __init__(self, federations: Federations) -> None:
        self._federations = federations

    def collect(self) -> Iterable[Metric]:
        fetches = CounterMetricFamily(
            "proa_trust_bundle_fetches", "Fetches of partners' trust bundles", labels=["result"]
        )
        for result, count in self._federations.counts.items():
            fetches.add_metric([result], count)
        yield fetches
        domains = GaugeMetricFamily(
            "proa_federated_trust_domains",
            "Partners by how their bundles stand: nobody of a missing one is believed",
            labels=["state"],
        )
        for state, number in self._federations.states().items():
            domains.add_metric([state], number)
        yield domains
