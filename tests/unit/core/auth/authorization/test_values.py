from proa.core.auth.authorization.values import NO_RULE, closing, rule_name, written_as
from proa.core.model.names import ObjectRef


def test_names() -> None:
    assert rule_name(ObjectRef("AuthorizationPolicy", "a", "b"), 3) == "ns[a]-policy[b]-rule[3]"
    assert rule_name(ObjectRef("ServiceRoleBinding", "a", "b"), "r.0") == "ns[a]-binding[b]-rule[r.0]"


def test_names_tell_who_wrote_the_rule() -> None:
    never = ObjectRef("AuthorizationPolicy", "a", "b")
    assert written_as(rule_name(never, 3)) == ((never, "rules[3]"),)
    assert written_as(rule_name(never, "unreadable")) == ((never, ""),)
    binding = ObjectRef("ServiceRoleBinding", "a", "b")
    role = ObjectRef("ServiceRole", "a", "r.s")
    assert written_as(rule_name(binding, "r.s.0")) == ((binding, ""), (role, "rules[0]"))
    assert written_as(NO_RULE) == ()


def test_closing() -> None:
    policy = closing(ObjectRef("AuthorizationPolicy", "a", "b"), "why")
    assert (policy.action, [rule.terms for rule in policy.rules]) == ("DENY", [()])
