"""Whom proxies call for themselves."""

from proa.core.model.check_providers import CheckProvider
from proa.core.model.settings import MeshSettings, OtelLog, TelemetryProvider, Tracer


def test_hosts_of_all_providers_that_have_one() -> None:
    settings = MeshSettings(
        check_providers=(CheckProvider(name="a", host="check.x", port=1, is_grpc=True),),
        telemetry_providers=(
            TelemetryProvider(name="prom"),
            TelemetryProvider(name="spans", tracer=Tracer(host="spans.x", port=4317)),
            TelemetryProvider(name="lines", otel=OtelLog(host="lines.x", port=4317, name="log")),
        ),
    )
    assert settings.provider_hosts == {"check.x", "spans.x", "lines.x"}
