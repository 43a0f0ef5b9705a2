"""That trees mean what the evaluator means is the law of tests/mesh/test_authorization_law.py; here is their form."""

from envoy.config.rbac.v3.rbac_pb2 import RBAC

from proa.core.auth.authorization.values import Action, Policy, Rule, Term, Value
from proa.core.model.names import ObjectRef
from proa.core.pilot.translate.authorization.predicates import Place
from proa.core.pilot.translate.authorization.tree import Stage, branches_of, build_matcher, verdict

PLACE = Place(ports=(80,), trust_domain="cluster.local")


def rule(name: str, *, who: str = "", path: Value | None = None, port: str = "") -> Rule:
    source = (Term(attribute="principal", values=(Value("exact", who),)),) if who else ()
    operation = (Term(attribute="path", values=(path,)),) if path else ()
    ports = (Term(attribute="port", values=(Value("number", port),)),) if port else ()
    return Rule(
        name=name,
        sources=(source,) if source else (),
        operations=((*operation, *ports),) if operation or ports else (),
    )


def stage(*rules: Rule, action: Action = "DENY") -> Stage:
    ref = ObjectRef("AuthorizationPolicy", "a", "b")
    return Stage(policies=(Policy(ref=ref, action=action, rules=rules),), action=action, verdict=RBAC.DENY)


def test_many_rules_hang_by_principal_then_path_then_prefix() -> None:
    rules = [rule(f"r{n}", who=f"td/ns/a/sa/{n}", path=Value("exact", f"/{n}")) for n in range(10)]
    rules += [rule(f"p{n}", path=Value("exact", f"/{n}")) for n in range(10)]
    rules += [rule(f"x{n}", path=Value("prefix", f"/{n}/")) for n in range(10)]
    root = build_matcher([stage(*rules)], verdict("none", RBAC.ALLOW), PLACE)
    by_principal = root.matcher_tree.exact_match_map.map
    assert sorted(by_principal)[0] == "spiffe://td/ns/a/sa/0"
    assert len(by_principal["spiffe://td/ns/a/sa/0"].matcher.matcher_list.matchers) == 1
    by_path = root.on_no_match.matcher
    assert len(by_path.matcher_tree.exact_match_map.map) == 10
    by_prefix = by_path.on_no_match.matcher
    assert sorted(by_prefix.matcher_tree.prefix_match_map.map)[0] == "/0/"
    assert by_prefix.on_no_match.HasField("action")


def test_few_rules_are_tried_in_turn() -> None:
    root = build_matcher([stage(rule("a", who="td/ns/a/sa/b"))], verdict("none", RBAC.ALLOW), PLACE)
    assert len(root.matcher_list.matchers) == 1


def test_what_always_holds_needs_no_more() -> None:
    root = build_matcher(
        [stage(rule("a", who="td/ns/a/sa/b"), rule("b"))], verdict("none", RBAC.ALLOW), PLACE
    )
    assert root.on_no_match.action.typed_config.value == verdict("b", RBAC.DENY).action.typed_config.value
    assert not root.HasField("matcher_list")


def test_without_rules_the_end_decides() -> None:
    assert build_matcher([stage()], verdict("none", RBAC.ALLOW), PLACE).on_no_match == verdict(
        "none", RBAC.ALLOW
    )


def test_what_never_holds_is_left_out() -> None:
    assert not list(branches_of(rule("a", port="81"), "DENY", PLACE))
    stream = Place(ports=(80,), is_stream=True, trust_domain="cluster.local")
    by_path = rule("a", path=Value("exact", "/a"))
    assert not list(branches_of(by_path, "ALLOW", stream))
    assert [branch.rest for branch in branches_of(by_path, "DENY", stream)] == [True]
    plain = Place(ports=(80,), has_peer=False, trust_domain="cluster.local")
    assert not list(branches_of(rule("a", who="td/ns/a/sa/b"), "ALLOW", plain))


def test_a_rule_of_very_many_ways_is_tried_as_a_whole() -> None:
    sources = tuple((Term(attribute="principal", values=(Value("exact", f"{n}"),)),) for n in range(9))
    operations = tuple((Term(attribute="path", values=(Value("exact", f"/{n}"),)),) for n in range(9))
    found = list(branches_of(Rule(name="a", sources=sources, operations=operations), "DENY", PLACE))
    assert [branch.path for branch in found] == [None] * 9
