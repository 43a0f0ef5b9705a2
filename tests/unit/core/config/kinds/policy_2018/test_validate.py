import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("Policy", {"targets": [{"name": "a"}], "peers": [{"mtls": None}]}, []),
        ("Policy", {"peers": [{"mtls": None}]}, ["metadata.name bad-value"]),
        (
            "Policy",
            {"targets": [{"name": "bad.target"}], "peers": [{"mtls": None}]},
            ["spec.targets[0].name bad-value"],
        ),
        (
            "Policy",
            {
                "targets": [{"name": "a", "ports": [{}, {"number": 1, "name": "b"}]}],
                "peers": [{"mtls": None}],
            },
            ["spec.targets[0].ports[0] required", "spec.targets[0].ports[1] conflict"],
        ),
        (
            "Policy",
            {
                "targets": [{"name": "a", "ports": [{"name": "http"}]}],
                "peers": [{"mtls": {"allow_tls": True}}],
            },
            ["spec.peers[0].mtls.allowTls no-equivalent", "spec.targets[0].ports[0].name no-equivalent"],
        ),
        (
            "Policy",
            {
                "targets": [{"name": "a"}],
                "peers": [{"mtls": None}, {"jwt": {"issuer": "a"}}],
                "principalBinding": "USE_ORIGIN",
            },
            ["spec.peers[1].jwt no-equivalent", "spec.principalBinding conflict"],
        ),
        ("Policy", {"targets": [{"name": "a"}]}, ["spec no-effect"]),
        ("Policy", {"targets": [{"name": "a"}], "peers": [{}]}, ["spec.peers[0] required"]),
        (
            "Policy",
            {"targets": [{"name": "a"}], "peers": [{"mtls": {"mode": "PERMISSIVE"}, "jwt": {"issuer": "a"}}]},
            ["spec.peers[0] conflict", "spec.peers[0].jwt no-equivalent"],
        ),
        (
            "Policy",
            {
                "targets": [{"name": "a"}],
                "origins": [{"jwt": {"issuer": "", "jwks_uri": "a", "jwtHeaders": ["a b"]}}],
            },
            [
                "spec.origins[0].jwt.issuer required",
                "spec.origins[0].jwt.jwksUri bad-value",
                "spec.origins[0].jwt.jwtHeaders[0] bad-value",
            ],
        ),
        (
            "Policy",
            {"targets": [{"name": "a"}], "origins": [{}, {"jwt": {"issuer": "a"}}, {"jwt": {"issuer": "a"}}]},
            [
                "spec.origins[0].jwt required",
                "spec.origins[2].jwt.issuer duplicate",
            ],
        ),
        (
            "Policy",
            {
                "targets": [{"name": "a"}],
                "origins": [
                    {
                        "jwt": {
                            "issuer": "a",
                            "triggerRules": [{"excludedPaths": [{"exact": "/a"}, {}, {"regex": "("}]}],
                        }
                    }
                ],
                "principalBinding": "USE_ORIGIN",
            },
            [
                "spec.origins[0].jwt.triggerRules no-equivalent",
            ],
        ),
        (
            "MeshPolicy",
            {"targets": [{"name": "a"}], "peers": [{"mtls": None}]},
            ["metadata.name bad-value", "spec.targets conflict"],
        ),
        (
            "Policy",
            {
                "targets": [{"name": "a"}, {"name": "a"}],
                "peers": [{"mtls": None}, {"mtls": {"mode": "PERMISSIVE"}}],
                "originIsOptional": True,
            },
            ["spec.originIsOptional no-effect", "spec.peers[1] duplicate", "spec.targets[1] duplicate"],
        ),
        (
            "Policy",
            {
                "targets": [{"name": "a"}],
                "origins": [{"jwt": {"issuer": "a", "jwksUri": "https://a/b c"}}],
                "peerIsOptional": True,
            },
            ["spec.origins[0].jwt.jwksUri bad-value", "spec.peerIsOptional no-effect"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
