import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("WorkloadGroup", {"template": {"ports": {"http": 80}, "serviceAccount": "a"}}, []),
        ("WorkloadGroup", {}, ["spec.template required"]),
        (
            "WorkloadGroup",
            {"template": {"address": "1.2.3.4", "labels": {"a": "b"}}},
            ["spec.template.address no-effect", "spec.template.labels no-effect"],
        ),
        (
            "WorkloadGroup",
            {"template": {}, "metadata": {"labels": {".": "~"}}},
            ["spec.metadata.labels[.] bad-value", "spec.metadata.labels[.] bad-value"],
        ),
        ("WorkloadGroup", {"template": {}, "probe": {}}, ["spec.probe required"]),
        (
            "WorkloadGroup",
            {"template": {}, "probe": {"tcpSocket": {"port": 1}, "grpc": {"port": 1}}},
            ["spec.probe conflict"],
        ),
        (
            "WorkloadGroup",
            {
                "template": {},
                "probe": {
                    "httpGet": {"port": 1, "scheme": "FTP", "path": "a", "httpHeaders": [{"name": "a b"}]}
                },
            },
            [
                "spec.probe.httpGet.httpHeaders[0].name bad-value",
                "spec.probe.httpGet.path bad-value",
                "spec.probe.httpGet.scheme bad-value",
            ],
        ),
        (
            "WorkloadGroup",
            {"template": {}, "probe": {"exec": {"command": []}}},
            ["spec.probe.exec.command required"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
