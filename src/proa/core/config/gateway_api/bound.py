"""One route at one of its parents, and what comes of it: objects of today, and what the route is told."""

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from proa.core.config.gateway_api.attach import (
    Condition,
    is_permitted,
    is_service,
)
from proa.core.config.gateway_api.gateway_schema import (
    Gateway,
    GatewayClass,
    ListenerSet,
    ReferenceGrant,
)
from proa.core.config.gateway_api.policy_schema import BackendTlsPolicy, TargetRef
from proa.core.config.gateway_api.rules import Place, Ruled, ruled
from proa.core.config.gateway_api.schema import (
    BackendObject,
    GrpcRoute,
    GrpcRule,
    HttpRoute,
    HttpRule,
    ParentRef,
    StreamRule,
    TcpRoute,
    TlsRoute,
)
from proa.core.config.kinds.virtual_service.schema import Beyond
from proa.core.config.legacy.draft import SPEC, Derived
from proa.core.config.legacy.draft import Place as Written
from proa.core.config.problem import Finding
from proa.core.config.record import Record
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef, service_hostname

ApiSpec: TypeAlias = (
    GatewayClass
    | Gateway
    | ListenerSet
    | HttpRoute
    | GrpcRoute
    | TlsRoute
    | TcpRoute
    | ReferenceGrant
    | BackendTlsPolicy
)
API_SPECS = (
    GatewayClass,
    Gateway,
    ListenerSet,
    HttpRoute,
    GrpcRoute,
    TlsRoute,
    TcpRoute,
    ReferenceGrant,
    BackendTlsPolicy,
)
NOT_FOUND: dict[str, Json] = {"directResponse": {"status": 404}}


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """`created` (seconds) decides between routes that match alike; 0 where nobody knows: then names do."""

    ref: ObjectRef
    spec: ApiSpec
    created: float = 0.0


class ListenerStanding(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kinds: tuple[str, ...]
    routes: int
    conditions: tuple[Condition, ...]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What an object is told of one parent (None: of itself). `made` is what came of it there, `backends` the full
    host names it sends to, `parent_host` that of a parent Service: whether these exist is seen where they are known.
    `gateway` is the name of the Gateway that it concerns, `target` the Service that a policy is for, and its port."""

    ref: ObjectRef
    parent: ParentRef | None
    conditions: tuple[Condition, ...]
    made: tuple[ObjectRef, ...] = ()
    backends: tuple[str, ...] = ()
    parent_host: str = ""
    gateway: str = ""
    target: TargetRef | None = None
    listeners: tuple[ListenerStanding, ...] = ()
    sets: int = 0


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """`beyond_...`: for each rule of a VirtualService what its own fields cannot say. `port_name`: a DestinationRule's,
    when it is for one port of its host."""

    derived: Derived
    beyond_http: tuple[Beyond, ...] = ()
    beyond_tls: tuple[Beyond, ...] = ()
    beyond_tcp: tuple[Beyond, ...] = ()
    port_name: str = ""


class Derivation(msgspec.Struct, frozen=True, kw_only=True):
    made: tuple[Made, ...] = ()
    standings: tuple[Standing, ...] = ()
    findings: tuple[tuple[ObjectRef, Finding], ...] = ()


class Bound:
    """One route at one of its parents."""

    def __init__(
        self, member: Member, number: int, parent: ParentRef, grants: list[tuple[str, ReferenceGrant]]
    ) -> None:
        assert isinstance(member.spec, HttpRoute | GrpcRoute | TlsRoute | TcpRoute)
        self.ref, self.spec, self.created = member.ref, member.spec, member.created
        self.number, self.parent, self._grants = number, parent, grants

    def permitted(self, backend: BackendObject) -> bool:
        return is_service(backend) and is_permitted(self.ref, backend, self._grants)

    def backends(self) -> Iterator[BackendObject]:
        rules: tuple[Record, ...] = self.spec.rules
        for rule in rules:
            if isinstance(rule, StreamRule):
                yield from rule.backend_refs
                continue
            assert isinstance(rule, HttpRule | GrpcRule)
            yield from rule.backend_refs
            yield from (each.request_mirror.backend_ref for each in rule.filters if each.request_mirror)

    @property
    def hostnames(self) -> tuple[str, ...]:
        return () if isinstance(self.spec, TcpRoute) else self.spec.hostnames

    def standing(
        self, accepted: Condition, made: tuple[ObjectRef, ...] = (), parent_host: str = "", gateway: str = ""
    ) -> Standing:
        named = [each for each in self.backends() if self.permitted(each)]
        hosts = {service_hostname(each.name, each.namespace or self.ref.namespace) for each in named}
        return Standing(
            ref=self.ref,
            parent=self.parent,
            conditions=(accepted, self._resolved()),
            made=made,
            backends=tuple(sorted(hosts)),
            parent_host=parent_host,
            gateway=gateway,
        )

    def _resolved(self) -> Condition:
        for each in self.backends():
            if not is_service(each):
                message = f"a backend of kind {each.kind} is not served; name a Service"
                return Condition(type="ResolvedRefs", status=False, reason="InvalidKind", message=message)
        for each in self.backends():
            if not self.permitted(each):
                message = f"no ReferenceGrant in namespace {each.namespace} lets it name Service {each.name}"
                return Condition(type="ResolvedRefs", status=False, reason="RefNotPermitted", message=message)
        return Condition(type="ResolvedRefs", status=True, reason="ResolvedRefs")

    def rules(self, place: Place) -> Iterator[tuple[tuple[object, ...], Ruled]]:
        """With what orders them among those of one host."""
        if isinstance(self.spec, TlsRoute | TcpRoute):
            return
        for each in ruled(self.ref, self.spec, place, self.permitted):
            yield (each.rank, self.created, self.ref.namespace, self.ref.name, each.place), each


def virtual_service(
    namespace: str,
    name: str,
    head: dict[str, Json],
    rules: list[Ruled],
    sources: tuple[ObjectRef, ...],
    beyond_tcp: tuple[Beyond, ...] = (),
    more_places: tuple[Written, ...] = (),
) -> Made:
    """`head` holds all but the rules for requests; `beyond_tcp` and `more_places` are about what it holds."""
    http: list[Json] = []
    places = list(more_places)
    for rule in rules:
        places += rule.draft.below((*SPEC, "http", len(http)))
        http.append(rule.draft.value)
    derived = Derived(
        kind="VirtualService",
        namespace=namespace,
        name=name,
        spec={**head, "http": http} if http else head,
        sources=sources,
        places=tuple(places),
    )
    beyond = tuple(
        Beyond(missing=rule.missing, session=rule.session, port_name=rule.port_name) for rule in rules
    )
    return Made(derived=derived, beyond_http=beyond, beyond_tcp=beyond_tcp)
