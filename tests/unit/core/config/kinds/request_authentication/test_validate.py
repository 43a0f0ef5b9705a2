import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        ("RequestAuthentication", {}, ["spec.jwtRules no-effect"]),
        ("RequestAuthentication", {"jwtRules": [{"issuer": "a"}]}, []),
        ("RequestAuthentication", {"jwtRules": [{"issuer": ""}]}, ["spec.jwtRules[0].issuer required"]),
        (
            "RequestAuthentication",
            {"jwtRules": [{"issuer": "a", "jwks": "{}"}]},
            ["spec.jwtRules[0].jwks bad-value"],
        ),
        (
            "RequestAuthentication",
            {"jwtRules": [{"issuer": "a", "jwks": "no"}]},
            ["spec.jwtRules[0].jwks bad-value"],
        ),
        ("RequestAuthentication", {"jwtRules": [{"issuer": "a", "jwks": '{"keys": [{"kty": "RSA"}]}'}]}, []),
        (
            "RequestAuthentication",
            {
                "jwtRules": [
                    {"issuer": "a", "jwks": '{"keys": [{"kty": "RSA"}]}', "jwksUri": "https://a/keys"}
                ]
            },
            ["spec.jwtRules[0] conflict"],
        ),
        (
            "RequestAuthentication",
            {"jwtRules": [{"issuer": "a", "jwksUri": "ftp://a"}]},
            ["spec.jwtRules[0].jwksUri bad-value"],
        ),
        (
            "RequestAuthentication",
            {"jwtRules": [{"issuer": "a", "fromHeaders": [{"name": "a b"}], "outputPayloadToHeader": "ü"}]},
            [
                "spec.jwtRules[0].fromHeaders[0].name bad-value",
                "spec.jwtRules[0].outputPayloadToHeader bad-value",
            ],
        ),
        (
            "RequestAuthentication",
            {
                "jwtRules": [
                    {
                        "issuer": "a",
                        "audiences": [""],
                        "fromParams": [""],
                        "outputClaimToHeaders": [{"header": "x"}],
                    }
                ]
            },
            [
                "spec.jwtRules[0].audiences[0] required",
                "spec.jwtRules[0].fromParams[0] required",
                "spec.jwtRules[0].outputClaimToHeaders[0].claim required",
            ],
        ),
        (
            "RequestAuthentication",
            {"jwtRules": [{"issuer": "a", "presence": "REQUIRED", "timeout": "5s"}]},
            [],
        ),
        (
            "RequestAuthentication",
            {
                "jwtRules": [
                    {
                        "issuer": "a",
                        "jwksUri": "",
                        "fromHeaders": [{"name": ":path"}],
                        "fromCookies": ["a;b"],
                        "fromParams": ["a&b"],
                        "outputPayloadToHeader": "x-a",
                        "outputClaimToHeaders": [
                            {"header": ":path", "claim": "a"},
                            {"header": "Host", "claim": "a"},
                            {"header": "X-A", "claim": "a"},
                        ],
                    }
                ]
            },
            [
                "spec.jwtRules[0].fromCookies[0] bad-value",
                "spec.jwtRules[0].fromHeaders[0].name bad-value",
                "spec.jwtRules[0].fromParams[0] bad-value",
                "spec.jwtRules[0].jwksUri required",
                "spec.jwtRules[0].outputClaimToHeaders[0].header bad-value",
                "spec.jwtRules[0].outputClaimToHeaders[1].header bad-value",
                "spec.jwtRules[0].outputPayloadToHeader duplicate",
            ],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
