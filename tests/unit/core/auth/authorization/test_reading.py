import msgspec
import pytest

from proa.core.auth.authorization.reading import TrustDomains, pattern, read_policy
from proa.core.auth.authorization.values import Policy, Term, Value
from proa.core.config import Json
from proa.core.config.kinds.authorization_policy.schema import AuthorizationPolicy, Condition, Rule
from proa.testing.builders import config

DOMAINS = TrustDomains(own="mesh.example", aliases=("old.example",))


def read(**spec: Json) -> Policy:
    return read_policy(config("AuthorizationPolicy", "p", spec, group="security"), DOMAINS)


def terms(rule: Json) -> tuple[Term, ...]:
    (read_rule,) = read(rules=[rule]).rules
    return read_rule.terms


def test_names_and_defaults() -> None:
    policy = read(rules=[{}, {}])
    assert (policy.action, policy.is_dry_run, policy.provider) == ("ALLOW", False, "")
    assert [rule.name for rule in policy.rules] == [f"ns[default]-policy[p]-rule[{n}]" for n in (0, 1)]
    assert read() == msgspec.structs.replace(policy, rules=())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("*", Value("present")),
        ("a*", Value("prefix", "a")),
        ("*a", Value("suffix", "a")),
        ("*a*", Value("prefix", "*a")),
        ("a", Value("exact", "a")),
    ],
)
def test_patterns(text: str, value: Value) -> None:
    assert pattern(text) == value


def test_a_principal_of_the_mesh_has_all_its_names() -> None:
    for own in ("mesh.example", "old.example", "cluster.local"):
        (term,) = terms({"from": [{"source": {"principals": [f"{own}/ns/a/sa/b"]}}]})
        assert [value.text for value in term.values] == ["mesh.example/ns/a/sa/b", "old.example/ns/a/sa/b"]
    (term,) = terms({"from": [{"source": {"notPrincipals": ["other.example/ns/a/sa/b", "*/sa/b"]}}]})
    assert [value.text for value in term.values] == ["other.example/ns/a/sa/b", "/sa/b"]
    assert term.negated


def test_fields_by_what_they_mean() -> None:
    found = terms(
        {
            "from": [{"source": {"serviceAccounts": ["a", "n/b"], "ipBlocks": ["10.0.0.0/8"]}}],
            "to": [{"operation": {"hosts": ["A.Example"], "notPaths": ["/a/{*}"], "ports": ["80"]}}],
            "when": [
                {"key": "request.headers[X-A]", "values": ["v"]},
                {"key": "request.auth.audiences", "values": ["v"]},
                {"key": "request.auth.claims[a][b]", "values": ["v"]},
                {"key": "experimental.envoy.filters.x[k]", "values": ["[v]"]},
                {"key": "experimental.envoy.filters.x[k]", "values": ["v"]},
            ],
        }
    )
    assert [(term.attribute, term.key, term.values[0]) for term in found] == [
        ("account", (), Value("exact", "default/a")),
        ("source_ip", (), Value("block", "10.0.0.0/8")),
        ("host", (), Value("exact", "a.example")),
        ("port", (), Value("number", "80")),
        ("path", (), Value("template", "/a/{*}")),
        ("header", ("x-a",), Value("exact", "v")),
        ("claim", ("aud",), Value("exact", "v")),
        ("claim", ("a", "b"), Value("exact", "v")),
        ("metadata_list", ("envoy.filters.x", "k"), Value("exact", "v")),
        ("metadata", ("envoy.filters.x", "k"), Value("exact", "v")),
    ]


def test_what_cannot_be_read_refuses_everything() -> None:
    """No config that is valid has it; another program's store may."""
    valid = config("AuthorizationPolicy", "p", {"rules": [{}]}, group="security")
    spec = AuthorizationPolicy(rules=(Rule(when=(Condition(key="source.nobody", values=("a",)),)),))
    policy = read_policy(msgspec.structs.replace(valid, spec=spec), DOMAINS)
    assert policy.action == "DENY"
    assert [(rule.name, rule.terms) for rule in policy.rules] == [
        ("ns[default]-policy[p]-rule[unreadable]", ())
    ]
