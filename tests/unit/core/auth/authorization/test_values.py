from proa.core.auth.authorization.values import closing, rule_name
from proa.core.model.names import ObjectRef


def test_names() -> None:
    assert rule_name(ObjectRef("AuthorizationPolicy", "a", "b"), 3) == "ns[a]-policy[b]-rule[3]"
    assert rule_name(ObjectRef("ServiceRoleBinding", "a", "b"), "r.0") == "ns[a]-binding[b]-rule[r.0]"


def test_closing() -> None:
    policy = closing(ObjectRef("AuthorizationPolicy", "a", "b"), "why")
    assert (policy.action, [rule.terms for rule in policy.rules]) == ("DENY", [()])
