from proa.core.mixer.plan.values import DEFAULT_POLICIES, RulePlan
from proa.core.model.names import ObjectRef


def test_a_rule_without_a_policy_has_that_of_the_variety() -> None:
    rule = RulePlan(ref=ObjectRef("rule", "a", "b"), match=None, actions=())
    assert {each: rule.policy_for(each) for each in DEFAULT_POLICIES} == dict(DEFAULT_POLICIES)
