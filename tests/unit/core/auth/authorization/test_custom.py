from proa.core.auth.authorization.custom import obeyable
from proa.core.auth.authorization.values import Policy, Rule
from proa.core.model.check_providers import CheckProvider
from proa.core.model.names import ObjectRef


def asking(name: str, provider: str) -> Policy:
    ref = ObjectRef("AuthorizationPolicy", "default", name)
    return Policy(ref=ref, action="CUSTOM", rules=(Rule(name=name),), provider=provider)


HTTP = CheckProvider(name="http", host="a", port=1, is_grpc=False)
GRPC = CheckProvider(name="grpc", host="a", port=1, is_grpc=True)


def test_whom_policies_ask() -> None:
    assert obeyable((), (HTTP,)).provider is None
    both = (asking("a", "http"), asking("b", "http"))
    assert obeyable(both, (GRPC, HTTP)).provider is HTTP
    assert obeyable((asking("a", "grpc"),), (GRPC, HTTP), is_stream=True).provider is GRPC


def test_who_cannot_be_asked_lets_nobody_in() -> None:
    for policies, is_stream in (
        ((asking("a", "nobody"),), False),
        ((asking("a", "http"), asking("b", "grpc")), False),
        ((asking("a", "http"),), True),
    ):
        found = obeyable(policies, (GRPC, HTTP), is_stream=is_stream)
        assert found.provider is None
        assert [policy.action for policy in found.policies] == ["DENY"] * len(policies)
        assert found.policies[0].rules[0].name == "ns[default]-policy[a]-rule[provider]"
