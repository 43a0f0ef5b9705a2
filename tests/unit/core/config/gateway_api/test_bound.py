from proa.core.config.gateway_api.attach import Condition
from proa.core.config.gateway_api.bound import Bound, Member, virtual_service
from proa.core.config.gateway_api.rules import Place
from proa.core.config.gateway_api.schema import (
    BackendRef,
    HttpRoute,
    HttpRule,
    ParentRef,
    StreamBackend,
    StreamRule,
    TcpRoute,
)
from proa.core.model.names import ObjectRef

REF = ObjectRef("HTTPRoute", "default", "r")
PARENT = ParentRef(name="web")
ACCEPTED = Condition(type="Accepted", status=True, reason="Accepted")


def bound(*backends: BackendRef) -> Bound:
    spec = HttpRoute(parent_refs=(PARENT,), rules=(HttpRule(backend_refs=backends),))
    return Bound(Member(ref=REF, spec=spec), 0, PARENT, [])


def test_what_it_may_not_name_is_told() -> None:
    other = BackendRef(name="a", namespace="other", port=80)
    standing = bound(other, BackendRef(name="b", port=80)).standing(ACCEPTED)
    assert [each.reason for each in standing.conditions] == ["Accepted", "RefNotPermitted"]
    assert standing.backends == ("b.default.svc.cluster.local",)


def test_rules_become_one_object() -> None:
    rules = [rule for _, rule in bound(BackendRef(name="b", port=80)).rules(Place())]
    made = virtual_service("default", "v", {"hosts": ["a"]}, rules, (REF,))
    assert [each.missing for each in made.beyond_http] == [500]
    assert made.derived.origin(("spec", "http", 0, "match", 0)) == (REF, ("spec", "rules", 0, "matches", 0))


def test_streams_have_no_rules_for_requests() -> None:
    spec = TcpRoute(
        parent_refs=(PARENT,), rules=(StreamRule(backend_refs=(StreamBackend(name="a", port=1),)),)
    )
    stream = Bound(Member(ref=REF, spec=spec), 0, PARENT, [])
    assert list(stream.rules(Place())) == []
    assert [each.name for each in stream.backends()] == ["a"]
    assert stream.hostnames == ()
