"""What a MeshConfig makes of the settings that the program was started with."""

from proa.core.config.connection_pool import TcpKeepalive
from proa.core.config.kinds.mesh_config.schema import MeshConfig, OutboundTrafficPolicy, PathNormalization
from proa.core.config.locality import LocalityLbSetting
from proa.core.config.retries import Retries
from proa.core.model.locality import LocalitySetting
from proa.core.model.settings import AccessLog, Keepalive, MeshSettings, Resolving, Retry
from proa.core.pilot.registry.mesh_config import retry_of, settings_of

BASE = MeshSettings(outbound_policy="REGISTRY_ONLY", trust_domain="a.example")


def test_what_is_not_said_stays() -> None:
    assert settings_of(BASE, MeshConfig()) == BASE


def test_what_is_said_counts() -> None:
    spec = MeshConfig(
        outbound_traffic_policy=OutboundTrafficPolicy(mode="ALLOW_ANY_DYNAMIC_DNS"),
        root_namespace="root",
        connect_timeout=5,
        tcp_keepalive=TcpKeepalive(probes=1, time=2000),
        h2_upgrade_policy="UPGRADE",
        default_service_export_to=(".",),
        default_http_retry_policy=Retries(),
        locality_lb_setting=LocalityLbSetting(failover_priority=("tier",)),
        dns_resolvers=("192.0.2.1:53",),
        dns_refresh_rate=7,
        protocol_detection_timeout=0,
        path_normalization=PathNormalization(normalization="NONE"),
    )
    found = settings_of(BASE, spec)
    assert (found.outbound_policy, found.root_namespace, found.connect_timeout_ms) == ("ALLOW_ANY", "root", 5)
    assert (found.keepalive, found.upgrades_http) == (Keepalive(probes=1, time_s=2), True)
    assert (found.service_export_to, found.rule_export_to) == ((".",), ("*",))
    assert found.retry.attempts == 0
    assert found.handling.resolving == Resolving(servers=("192.0.2.1:53",), refresh_ms=7)
    assert (found.handling.detection_ms, found.handling.paths) == (0, "NONE")
    assert found.locality == LocalitySetting(priority=("tier",))
    assert found.trust_domain == "a.example"


def test_access_logs() -> None:
    def log(spec: MeshConfig) -> AccessLog | None:
        return settings_of(BASE, spec).handling.access_log

    assert log(MeshConfig(access_log_file="")) is None
    assert log(MeshConfig(access_log_format="x")) == AccessLog(encoding="TEXT", form="x")
    assert log(MeshConfig(access_log_file="/a", access_log_encoding="JSON")) == AccessLog(path="/a")


def test_retries() -> None:
    default = Retry(attempts=7)
    assert retry_of(None, default) == default
    told = Retries(attempts=1, retry_on="5xx, 429", backoff=100, retry_remote_localities=True)
    assert retry_of(told, default) == Retry(
        attempts=1, on=("5xx",), status_codes=(429,), backoff_ms=100, other_localities=True
    )
