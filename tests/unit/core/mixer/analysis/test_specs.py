from proa.testing.mixer import mixer_config
from tests.unit.core.mixer.analysis.telling import REQUESTS, told


def test_specs_and_bindings() -> None:
    spec = mixer_config(
        "QuotaSpec",
        "counts",
        {
            "rules": [
                {
                    "match": [{"clause": {"request.path": {"prefix": "/"}, "request.size": {"exact": "5"}}}],
                    "quotas": [{"quota": "requestcount"}, {"quota": "requestcont"}],
                }
            ]
        },
    )
    services = [{"name": "productpage"}]
    binding = mixer_config(
        "QuotaSpecBinding", "b", {"services": services, "quotaSpecs": [{"name": "counts"}, {"name": "conts"}]}
    )
    assert told(REQUESTS, spec, binding) == [
        "b spec.quotaSpecs[1].name mixer-reference-missing",
        "counts spec.rules[0].match[0].clause[request.size] mixer-expression",
        "counts spec.rules[0].quotas[1].quota mixer-reference-missing",
    ]
    api = mixer_config(
        "HTTPAPISpec",
        "api",
        {
            "attributes": {
                "attributes": {"api.service": {"stringValue": "a"}, "api.versoin": {"stringValue": "1"}}
            },
            "patterns": [
                {"httpMethod": "GET", "uriTemplate": "/a"},
                {
                    "httpMethod": "get",
                    "uri_template": "/a",
                    "attributes": {"attributes": {"api.protocol": {"int64Value": 1}}},
                },
            ],
        },
    )
    bound = mixer_config("HTTPAPISpecBinding", "ab", {"services": services, "api_specs": [{"name": "api2"}]})
    assert told(api, bound) == [
        "ab spec.apiSpecs[0].name mixer-reference-missing",
        "api  mixer-unused",
        "api spec.attributes.attributes[api.versoin] mixer-expression",
        "api spec.patterns[1] mixer-pattern-repeated",
        "api spec.patterns[1].attributes.attributes[api.protocol] mixer-expression",
    ]
    assert told(api) == [each for each in told(api, bound) if "unused" not in each and "missing" not in each]
