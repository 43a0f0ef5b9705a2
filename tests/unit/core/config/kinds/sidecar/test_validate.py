import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


def egress(*hosts: Json) -> Json:
    return [{"hosts": [*hosts]}]


def test_a_sidecar_says_something() -> None:
    assert judge("sidecar", {}) == ["spec required"]
    assert judge("sidecar", {"workloadSelector": {"labels": {"a": "b"}}}) == ["spec required"]
    assert judge("sidecar", {"outboundTrafficPolicy": {}}) == []
    assert judge("sidecar", {"egress": egress("./*")}) == []


@pytest.mark.parametrize("host", ["./*", "*/*", "~/*", "shop/*.com", "*/a.b", "~shop/*", "~*/a.b"])
def test_hosts(host: str) -> None:
    assert judge("sidecar", {"egress": egress("*/*.org", host)}) == []


@pytest.mark.parametrize("host", ["", "a.b", "/a.b", "./", "*/a", "A B/*", "~/a.b", "./a.*.b", "**/a.b"])
def test_what_is_no_host(host: str) -> None:
    assert judge("sidecar", {"egress": egress("*/*", host)}) == ["spec.egress[0].hosts[1] bad-value"]


def test_lists() -> None:
    assert judge("sidecar", {"egress": egress()}) == ["spec.egress[0].hosts required"]
    assert judge("sidecar", {"egress": egress("./*", "default/*")}) == ["spec.egress[0].hosts[1] no-effect"]
    assert judge("sidecar", {"egress": egress("~shop/*")}) == ["spec.egress[0].hosts no-effect"]
    two: Json = [{"hosts": ["./*"]}, {"hosts": ["shop/*"]}]
    assert judge("sidecar", {"egress": two}) == ["spec.egress[0] conflict"]


def test_ingress() -> None:
    port: Json = {"number": 80, "protocol": "HTTP", "name": "http"}
    good: Json = {"port": port, "defaultEndpoint": "127.0.0.1:8080", "connectionPool": {"tcp": {}}}
    assert judge("sidecar", {"ingress": [good]}) == []
    assert judge("sidecar", {"ingress": [good, {"port": {"number": 80, "protocol": "X"}}]}) == [
        "spec.ingress[1].port.number duplicate",
        "spec.ingress[1].port.protocol bad-value",
    ]
    bad: Json = {"port": port, "defaultEndpoint": "10.0.0.1:80", "connectionPool": {}}
    assert judge("sidecar", {"ingress": [bad]}) == [
        "spec.ingress[0].connectionPool required",
        "spec.ingress[0].defaultEndpoint bad-value",
    ]


def test_limits_of_all_ports() -> None:
    assert judge("sidecar", {"inboundConnectionPool": {"tcp": {"maxConnections": 1}}}) == []
    assert judge("sidecar", {"inboundConnectionPool": {"http": {"h2UpgradePolicy": "UPGRADE"}}}) == [
        "spec.inboundConnectionPool.http.h2UpgradePolicy no-effect"
    ]


def test_an_egress_proxy() -> None:
    proxy: Json = {"host": "a", "port": {"number": 80}}
    assert judge("sidecar", {"outboundTrafficPolicy": {"mode": "ALLOW_ANY", "egressProxy": proxy}}) == []
    assert judge("sidecar", {"outboundTrafficPolicy": {"egressProxy": {"host": "a b"}}}) == [
        "spec.outboundTrafficPolicy.egressProxy conflict",
        "spec.outboundTrafficPolicy.egressProxy.host bad-value",
        "spec.outboundTrafficPolicy.egressProxy.port required",
    ]


def test_selectors_know_no_wildcard() -> None:
    spec: Json = {"workloadSelector": {"labels": {"a": "*"}}, "egress": egress("./*")}
    assert judge("sidecar", spec) == ["spec.workloadSelector.labels.a bad-value"]


TLS: dict[str, Json] = {"mode": "SIMPLE", "serverCertificate": "/a", "privateKey": "/b"}


def served(protocol: Json = "HTTPS", **tls: Json) -> list[str]:
    listener: Json = {"port": {"number": 443, "protocol": protocol}, "tls": tls}
    return [place.removeprefix("spec.ingress[0].tls") for place in judge("sidecar", {"ingress": [listener]})]


def test_tls_of_a_listener() -> None:
    assert served(**TLS) == []
    assert served("TLS", mode="MUTUAL", credentialName="a") == []
    assert served("HTTP", **TLS) == [" conflict"]
    assert served("", **TLS) == [" conflict"]
    for mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL"):
        assert served(mode=mode) == [".mode bad-value"]
    assert served(**TLS, httpsRedirect=True) == [".httpsRedirect conflict"]
    assert served(mode="SIMPLE") == [" required"]


def test_how_callers_come_in() -> None:
    def judged(mode: str) -> list[str]:
        return judge("sidecar", {"ingress": [{"port": {"number": 80}, "captureMode": mode}]})

    assert judged("NONE") == judged("DEFAULT") == []
    assert judged("IPTABLES") == ["spec.ingress[0].captureMode no-effect"]


def listeners(*given: dict[str, Json]) -> list[str]:
    all_of: list[Json] = [{"hosts": ["./*"], **each} for each in given]
    return [place.removeprefix("spec.egress") for place in judge("sidecar", {"egress": all_of})]


def at(number: Json = 80, protocol: Json = "HTTP", **more: Json) -> dict[str, Json]:
    port: Json = {"number": number, "protocol": protocol} if protocol else {"number": number}
    return {"port": port, **more}


def test_egress_listeners_with_a_port() -> None:
    assert listeners(at(), at(81, "TLS", bind="127.0.0.2", captureMode="NONE"), {}) == []
    assert listeners({}, at()) == ["[0] conflict"]
    assert listeners(at(protocol="")) == ["[0].port.protocol required"]
    for protocol in ("UDP", "HTTP_PROXY", "X"):
        assert listeners(at(protocol=protocol)) == ["[0].port.protocol bad-value"]
    for bind in ("unix:///run/a", "localhost"):
        assert listeners(at(bind=bind)) == ["[0].bind bad-value"]
    assert listeners(at(bind="0.0.0.0")) == ["[0].bind identity-shared"]
    assert listeners(at(captureMode="IPTABLES", bind="::1")) == [
        "[0].bind no-effect",
        "[0].captureMode no-effect",
    ]


def test_two_listeners_of_one_place() -> None:
    own: dict[str, Json] = {"captureMode": "NONE"}
    assert listeners(at(), at()) == ["[1].port.number duplicate"]
    assert listeners(at(), at(**own)) == ["[1].port.number duplicate"]
    assert listeners(at(), at(bind="127.0.0.2", **own)) == []
    assert listeners(at(bind="127.0.0.2"), at()) == ["[1].port.number duplicate"]


def test_what_needs_a_port() -> None:
    assert listeners({"bind": "127.0.0.1"}) == ["[0].bind conflict"]
    assert listeners({"captureMode": "NONE"}) == ["[0].captureMode conflict"]
    assert listeners({"captureMode": "IPTABLES"}) == ["[0].captureMode no-effect"]
    assert listeners({"captureMode": "DEFAULT"}) == []
