import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge


@pytest.mark.parametrize(
    ("kind", "spec", "found"),
    [
        (
            "QuotaSpec",
            {
                "rules": [
                    {"quotas": [{"quota": "a", "charge": 1}], "match": [{"clause": {"a": {"exact": "b"}}}]}
                ]
            },
            [],
        ),
        ("QuotaSpec", {"rules": []}, ["spec.rules required"]),
        ("QuotaSpec", {"rules": [{"quotas": []}]}, ["spec.rules[0].quotas required"]),
        (
            "QuotaSpec",
            {"rules": [{"quotas": [{"quota": "", "charge": 0}]}]},
            ["spec.rules[0].quotas[0].charge out-of-range", "spec.rules[0].quotas[0].quota required"],
        ),
        (
            "QuotaSpec",
            {
                "rules": [
                    {"quotas": [{"quota": "a"}], "match": [{}, {"clause": {"a": {}, "b": {"regex": "("}}}]}
                ]
            },
            [
                "spec.rules[0].match[0].clause required",
                "spec.rules[0].match[1].clause.a required",
                "spec.rules[0].match[1].clause.b.regex bad-regex",
            ],
        ),
        ("QuotaSpecBinding", None, ["spec required"]),
        (
            "QuotaSpecBinding",
            {
                "quotaSpecs": [{"name": "a"}],
                "services": [{"service": "*"}, {"service": "*.ns.*"}, {"name": "a", "namespace": "b"}],
            },
            [],
        ),
        (
            "QuotaSpecBinding",
            {"quota_specs": [{"name": ""}], "services": [{}]},
            ["spec.quotaSpecs[0].name bad-value", "spec.services[0] required"],
        ),
    ],
)
def test_what_makes_sense(kind: str, spec: Json, found: list[str]) -> None:
    assert judge(kind, spec) == found
