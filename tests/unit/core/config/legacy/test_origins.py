"""What policies of 2018 say of end users, in today's words."""

from proa.core.config.kinds.policy_2018.schema import Jwt, MutualTls, Origin, Peer, Policy, Target
from proa.core.config.legacy.origins import users_of
from proa.core.model.names import ObjectRef
from proa.core.pilot.simulate import Inbound
from proa.testing.builders import Mesh, simple
from tests.token_issuer import SigningKey

ORIGIN = Origin(
    jwt=Jwt(issuer="a", audiences=("x", "y"), jwks_uri="https://a", jwt_headers=("x-t",), jwt_params=("p",))
)


def ref(name: str) -> ObjectRef:
    return ObjectRef("Policy", "shop", name)


def test_each_origin_is_a_rule_of_which_one_is_demanded() -> None:
    policy = Policy(targets=(Target(name="web"),), origins=(ORIGIN, Origin(jwt=Jwt(issuer="b", jwks="{}"))))
    ((made,), findings) = users_of("shop", "web", [(ref("one"), policy)])
    assert not findings
    assert (made.ref, made.sources) == (
        ObjectRef("RequestAuthentication", "shop", "web-users"),
        (ref("one"),),
    )
    assert made.spec == {
        "selector": {"matchLabels": {"app": "web"}},
        "jwtRules": [
            {
                "issuer": "a",
                "audiences": ["x", "y"],
                "jwksUri": "https://a",
                "fromHeaders": [{"name": "x-t"}],
                "fromParams": ["p"],
                "forwardOriginalToken": True,
                "presence": "REQUIRED",
            },
            {"issuer": "b", "jwks": "{}", "forwardOriginalToken": True, "presence": "REQUIRED"},
        ],
    }
    assert made.origin(("spec", "jwtRules", 1, "jwks")) == (ref("one"), ("spec", "origins", 1, "jwt"))


def test_origins_that_are_optional_demand_nothing() -> None:
    policy = Policy(origins=(Origin(jwt=Jwt(issuer="a")),), origin_is_optional=True)
    ((made,), _) = users_of("shop", "", [(ref("default"), policy)])
    assert made.name == "default"
    assert made.spec == {"jwtRules": [{"issuer": "a", "forwardOriginalToken": True}]}


def test_of_two_policies_the_first_counts_and_the_other_is_told() -> None:
    peers = Policy(peers=(Peer(mtls=MutualTls()),))
    one, two = Policy(origins=(ORIGIN,)), Policy(origins=(Origin(jwt=Jwt(issuer="b")),))
    ((made,), ((told, finding),)) = users_of(
        "shop", "web", [(ref("a"), peers), (ref("b"), one), (ref("c"), two)]
    )
    assert (made.sources, told) == ((ref("b"),), ref("c"))
    assert finding.code == "no-effect"
    assert users_of("shop", "web", [(ref("a"), peers)]) == ((), ())


KEY = SigningKey("one")


def policy(name: str, issuer: str, spec: str) -> str:
    keys = f'{{"keys": [{KEY.published}]}}'.replace("'", '"')
    return f"""
apiVersion: authentication.istio.io/v1alpha1
kind: Policy
metadata: {{name: {name}}}
spec:
  {spec}
  origins: [{{jwt: {{issuer: {issuer}, jwks: '{keys}'}}}}]
  principalBinding: USE_ORIGIN
"""


def test_a_service_is_as_its_own_policy_says_and_others_as_the_namespace() -> None:
    mesh = Mesh(simple("reviews"), simple("ratings"))
    mesh.apply(policy("reviews", "own", "targets: [{name: reviews}]"))
    mesh.apply(policy("default", "all", "originIsOptional: false"))

    def status(workload: str, issuer: str) -> int:
        headers = {"authorization": f"Bearer {KEY.sign(issuer)}"} if issuer else {}
        url = f"http://{workload}:9080/"
        return mesh.get(f"{workload}-v1", url, headers=headers, via=Inbound(port=9080)).status

    assert [status("reviews", issuer) for issuer in ("", "own", "all")] == [401, 0, 401]
    assert [status("ratings", issuer) for issuer in ("", "own", "all")] == [401, 401, 0]
