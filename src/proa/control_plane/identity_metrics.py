"""The control plane's metrics of identities: when CAs, roots and its own certificate end, what was signed for whom, how
far a rotation is, what is revoked. Read from the owners of state when somebody asks."""

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proa.control_plane.authority import Authority
from proa.core.auth.root_rotation import phase_of
from proa.runtime.cell import Cell


class IdentityMetrics(Collector):
    """`waiting` says why the next step of a rotation is not taken, `own_ends` when this process's certificate ends."""

    def __init__(
        self,
        authority: Authority,
        waiting: Cell[tuple[str, ...]],
        own_ends: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._authority = authority
        self._waiting = waiting
        self._own_ends = own_ends
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        authority, now = self._authority, self._clock()
        expiry = GaugeMetricFamily(
            "proa_certificate_expiry_seconds",
            "Seconds until a certificate of the control plane ends: its root, its intermediate, its servers' own",
            labels=["certificate"],
        )
        for name, not_after in (*authority.expiries.items(), ("control-plane", self._own_ends())):
            expiry.add_metric([name], not_after - now)
        yield expiry
        issued = CounterMetricFamily(
            "proa_certificates_issued", "Certificates signed by this control plane", labels=["for"]
        )
        for kind, count in authority.issued.items():
            issued.add_metric([kind], count)
        yield issued
        yield GaugeMetricFamily(
            "proa_revocations", "Revocations in force", value=len(authority.revocations.records())
        )
        yield from self._roots(now)
        yield GaugeMetricFamily(
            "proa_rotation_waits",
            "Reasons for which the next step of a root's rotation is not taken",
            value=len(self._waiting.value),
        )

    def _roots(self, now: float) -> Iterable[Metric]:
        phases = GaugeMetricFamily(
            "proa_root_phase", "1 for the phase that a trusted root is in", labels=["root", "phase"]
        )
        ends = GaugeMetricFamily(
            "proa_root_expiry_seconds", "Seconds until a trusted root ends", labels=["root"]
        )
        active = self._authority.keyring.active.root
        for root in self._authority.keyring.roots:
            phases.add_metric([root.digest[:12], phase_of(root, active)], 1)
            ends.add_metric([root.digest[:12]], root.not_after - now)
        yield phases
        yield ends
