"""What policies of 2018 say of peers, in today's words; who is told when two say it of one service."""

import pytest

from proa.core.config.kinds.policy_2018.schema import Jwt, MutualTls, Origin, Peer, Policy, PolicyPort, Target
from proa.core.config.legacy.peers import home_of_policy, mode_said, of_all, of_service, services_of
from proa.core.model.names import ObjectRef

ORIGINS = (Origin(jwt=Jwt(issuer="a")),)


def said(policy: Policy) -> str | None:
    found = mode_said(policy)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("policy", "mode"),
    [
        (Policy(peers=(Peer(mtls=MutualTls()),)), "STRICT"),
        (Policy(peers=(Peer(mtls=MutualTls(mode="PERMISSIVE")),)), "PERMISSIVE"),
        (Policy(peers=(Peer(mtls=MutualTls()),), peer_is_optional=True), "PERMISSIVE"),
        (Policy(peers=(Peer(mtls=MutualTls()), Peer(mtls=MutualTls(mode="PERMISSIVE")))), "STRICT"),
        (Policy(), "PERMISSIVE"),
        (Policy(origins=ORIGINS), None),
        (Policy(origins=ORIGINS, peers=(Peer(mtls=MutualTls()),)), "STRICT"),
    ],
)
def test_the_mode(policy: Policy, mode: str | None) -> None:
    assert said(policy) == mode


def ref(name: str, kind: str = "Policy") -> ObjectRef:
    return ObjectRef(kind, "shop", name)


STRICT = Policy(targets=(Target(name="a"), Target(name="b")), peers=(Peer(mtls=MutualTls()),))
PORT = Policy(targets=(Target(name="a", ports=(PolicyPort(number=80),)),))


def test_one_object_for_each_service() -> None:
    assert services_of(STRICT) == ("a", "b")
    ((made,), told) = of_service("shop", "a", [(ref("one"), STRICT), (ref("two"), PORT)])
    assert made.spec == {
        "selector": {"matchLabels": {"app": "a"}},
        "mtls": {"mode": "STRICT"},
        "portLevelMtls": {"80": {"mode": "PERMISSIVE"}},
    }
    assert made.sources == (ref("one"), ref("two"))
    assert told == ()
    assert made.origin(("spec", "portLevelMtls", "80", "mode")) == (ref("two"), ("spec",))


def test_the_first_counts_and_the_other_is_told() -> None:
    ((made,), told) = of_service(
        "shop", "a", [(ref("one"), Policy(targets=STRICT.targets)), (ref("two"), STRICT)]
    )
    assert made.spec["mtls"] == {"mode": "PERMISSIVE"}
    ((who, finding),) = told
    assert (who, finding.path, finding.code) == (ref("two"), ("spec", "targets", 0), "no-effect")


def test_tokens_alone_say_nothing_of_peers() -> None:
    tokens = Policy(targets=(Target(name="a"),), origins=ORIGINS)
    assert of_service("shop", "a", [(ref("one"), tokens)]) == ((), ())
    assert of_all("shop", [(ref("default"), Policy(origins=ORIGINS))]) == ((), ())


def test_the_meshs_policy_lives_where_the_meshs_policies_do() -> None:
    mesh = ref("default", "MeshPolicy")
    assert home_of_policy(mesh) == "istio-system"
    assert home_of_policy(ref("default")) == "shop"
    other = ObjectRef("MeshPolicy", "zoo", "default")
    ((made,), told) = of_all("istio-system", [(mesh, Policy(peers=STRICT.peers)), (other, Policy())])
    assert (made.namespace, made.name, made.spec) == ("istio-system", "default", {"mtls": {"mode": "STRICT"}})
    assert [who for who, _ in told] == [other]
