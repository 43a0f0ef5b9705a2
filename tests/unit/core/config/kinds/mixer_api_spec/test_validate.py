import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        (
            "HTTPAPISpec",
            {
                "attributes": {"attributes": {"a": {"stringValue": "b"}}},
                "patterns": [{"httpMethod": "GET", "uriTemplate": "/a/{b}/**"}],
                "apiKeys": [{"query": "k"}],
            },
            [],
        ),
        ("HTTPAPISpec", {"api_keys": [{"query": "k"}]}, ["spec.patterns required"]),
        (
            "HTTPAPISpec",
            {"patterns": [{}]},
            ["spec.patterns[0] required", "spec.patterns[0].httpMethod required"],
        ),
        (
            "HTTPAPISpec",
            {"patterns": [{"httpMethod": "GE", "regex": "("}], "apiKeys": [{}, {"header": "a b"}]},
            [
                "spec.apiKeys[0] required",
                "spec.apiKeys[1].header bad-value",
                "spec.patterns[0].httpMethod bad-value",
                "spec.patterns[0].regex bad-regex",
            ],
        ),
        (
            "HTTPAPISpec",
            {
                "patterns": [
                    {"httpMethod": "GET", "uriTemplate": "/**/*"},
                    {"httpMethod": "GET", "uriTemplate": "a"},
                    {"httpMethod": "GET", "uriTemplate": "/{a"},
                ]
            },
            [
                "spec.patterns[0].uriTemplate bad-value",
                "spec.patterns[1].uriTemplate bad-value",
                "spec.patterns[2].uriTemplate bad-value",
            ],
        ),
        (
            "HTTPAPISpec",
            {
                "patterns": [
                    {"httpMethod": "GET", "uriTemplate": "/a", "attributes": {"attributes": {"a": {}}}}
                ]
            },
            ["spec.patterns[0].attributes.attributes.a required"],
        ),
        (
            "HTTPAPISpec",
            {
                "attributes": {
                    "attributes": {
                        "source.user": {"stringValue": "ann"},
                        "a": {"bytesValue": "?"},
                        "b": {"timestampValue": "today"},
                    }
                },
                "patterns": [
                    {"httpMethod": "GET", "uriTemplate": "/a/{b=c/*/**}:do"},
                    {"httpMethod": "GET", "uriTemplate": "/a:"},
                    {"httpMethod": "GET", "uriTemplate": "/a:b/c"},
                    {"httpMethod": "GET", "uriTemplate": "/{a=b*}"},
                ],
            },
            [
                "spec.attributes.attributes.a.bytesValue bad-value",
                "spec.attributes.attributes.b.timestampValue bad-value",
                "spec.attributes.attributes[source.user] conflict",
                "spec.patterns[1].uriTemplate bad-value",
                "spec.patterns[2].uriTemplate bad-value",
                "spec.patterns[3].uriTemplate bad-value",
            ],
        ),
        ("HTTPAPISpecBinding", {"services": [{"name": "a"}], "apiSpecs": [{"name": "a"}]}, []),
        ("HTTPAPISpecBinding", {}, ["spec.apiSpecs required", "spec.services required"]),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
