"""What is counted of reports: what proxies told, what was made of it, and what became of it at each handler."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proa.control_plane.mixer.reports import Reports


class ReportMetrics(Collector):
    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    def collect(self) -> Iterable[Metric]:
        heard = self._reports.heard
        for name, text, label, counts in (
            (
                "proa_mixer_entries",
                "What proxies told: requests, words of connections, and those that could not be read for a mistake of"
                " ours",
                "kind",
                heard.entries,
            ),
            ("proa_mixer_unmade", "Instances that could not be made", "instance", heard.unmade),
            ("proa_mixer_unmatched", "Matches that could not be evaluated", "rule", heard.unmatched),
        ):
            family = CounterMetricFamily(name, text, labels=[label])
            for value, count in counts.items():
                family.add_metric([value], count)
            yield family
        yield CounterMetricFamily(
            "proa_mixer_connections_interrupted",
            "Connections that were told of elsewhere before, so that some of their bytes may be missing",
            value=heard.interrupted,
        )
        reported = CounterMetricFamily(
            "proa_mixer_reports",
            "Instances by handler and by what became of them: dropped ones found no room, or their handler was gone",
            labels=["handler", "outcome"],
        )
        for handler, ended in self._reports.counts.items():
            for outcome in ("delivered", "failed", "dropped"):
                reported.add_metric([handler, outcome], getattr(ended, outcome))
        yield reported
        waiting = GaugeMetricFamily(
            "proa_mixer_reports_waiting", "Instances that wait for their handler", labels=["handler"]
        )
        for handler, number in self._reports.waiting.items():
            waiting.add_metric([handler], number)
        yield waiting
