import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("Sidecar", {}, ["spec required"]),
        ("Sidecar", None, ["spec required"]),
        ("Sidecar", {"egress": [{"hosts": ["./*"]}]}, []),
        ("Sidecar", {"egress": [{"hosts": []}]}, ["spec.egress[0].hosts required"]),
        ("Sidecar", {"egress": [{"hosts": ["*/a.com", "~/*", "~a/b.com", "./*.a.com"]}]}, []),
        (
            "Sidecar",
            {"egress": [{"hosts": ["a", "/a", "~/a", "A/b", "./a*"]}]},
            [
                "spec.egress[0].hosts[0] bad-value",
                "spec.egress[0].hosts[1] bad-value",
                "spec.egress[0].hosts[2] bad-value",
                "spec.egress[0].hosts[3] bad-value",
                "spec.egress[0].hosts[4] bad-value",
            ],
        ),
        ("Sidecar", {"egress": [{"hosts": ["./*"]}, {"hosts": ["./*"]}]}, ["spec.egress[1].port duplicate"]),
        (
            "Sidecar",
            {
                "egress": [
                    {"port": {"number": 80, "protocol": "HTTP"}, "hosts": ["./*"]},
                    {"port": {"number": 80, "protocol": "X"}, "hosts": ["./*"]},
                ]
            },
            ["spec.egress[1].port.number duplicate", "spec.egress[1].port.protocol bad-value"],
        ),
        ("Sidecar", {"egress": [{"bind": "unix:///a", "hosts": ["./*"]}]}, ["spec.egress[0].port required"]),
        ("Sidecar", {"egress": [{"bind": "a", "hosts": ["./*"]}]}, ["spec.egress[0].bind bad-value"]),
        (
            "Sidecar",
            {
                "egress": [{"hosts": ["./*"]}],
                "ingress": [
                    {"port": {"number": 80}, "defaultEndpoint": "127.0.0.1:80"},
                    {"port": {"number": 80}, "defaultEndpoint": "1.2.3.4:80", "bind": "a"},
                ],
            },
            [
                "spec.ingress[1].bind bad-value",
                "spec.ingress[1].defaultEndpoint bad-value",
                "spec.ingress[1].port.number duplicate",
            ],
        ),
        (
            "Sidecar",
            {
                "egress": [{"hosts": ["./*"]}],
                "ingress": [
                    {
                        "port": {"number": 80},
                        "defaultEndpoint": "unix:///a",
                        "tls": {"mode": "ISTIO_MUTUAL", "httpsRedirect": True},
                    }
                ],
            },
            ["spec.ingress[0].tls.httpsRedirect bad-value", "spec.ingress[0].tls.mode bad-value"],
        ),
        (
            "Sidecar",
            {
                "egress": [{"hosts": ["./*"]}],
                "ingress": [{"port": {"number": 80}, "defaultEndpoint": "unix://a"}],
            },
            ["spec.ingress[0].defaultEndpoint bad-value"],
        ),
        ("Sidecar", {"outboundTrafficPolicy": {"mode": "ALLOW_ANY"}}, []),
        (
            "Sidecar",
            {"outboundTrafficPolicy": {"egressProxy": {"host": "a b"}}},
            [
                "spec.outboundTrafficPolicy.egressProxy conflict",
                "spec.outboundTrafficPolicy.egressProxy.host bad-value",
                "spec.outboundTrafficPolicy.egressProxy.port required",
            ],
        ),
        (
            "Sidecar",
            {"egress": [{"hosts": ["./*"]}], "workloadSelector": {"labels": {"a": "*"}}},
            ["spec.workloadSelector.labels.a bad-value"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
