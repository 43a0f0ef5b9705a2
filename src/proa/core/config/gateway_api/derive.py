"""A Gateway or a service, with the routes bound to it, to objects of today, and what each of them is told.

For each port and host name of a Gateway there is one VirtualService with the rules of all routes that serve the host,
the most specific match first; so a listener's routes never answer for a more specific listener, as the specification
wants. For a service there is one VirtualService. Groups (`groups_for`) do not concern each other. Nothing here looks at
the order in which objects come.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol, TypeAlias

import msgspec

from proa.core.config.gateway_api.attach import (
    Attached,
    Condition,
    attach,
    covers,
    is_permitted,
    is_service,
    listener_hosts,
    specificity,
    supported_kinds,
)
from proa.core.config.gateway_api.gateway_schema import (
    BUILT_IN_CLASSES,
    CONTROLLERS,
    GATEWAY_NAME_LABEL,
    Gateway,
    GatewayClass,
    Listener,
    ReferenceGrant,
)
from proa.core.config.gateway_api.rules import HTTP_ERROR, Place, Ruled, ruled
from proa.core.config.gateway_api.schema import GROUP, BackendObject, GrpcRoute, HttpRoute, ParentRef
from proa.core.config.legacy.draft import SPEC, Derived, Draft
from proa.core.config.legacy.draft import Place as Written
from proa.core.config.legacy.services import object_name
from proa.core.config.meta import Meta
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef, service_hostname

ApiSpec: TypeAlias = GatewayClass | Gateway | HttpRoute | GrpcRoute | ReferenceGrant
API_SPECS = (GatewayClass, Gateway, HttpRoute, GrpcRoute, ReferenceGrant)
NOT_FOUND: dict[str, Json] = {"directResponse": {"status": 404}}


class ApiObject(Protocol):
    """A Config whose spec is of this API."""

    @property
    def ref(self) -> ObjectRef: ...
    @property
    def meta(self) -> Meta: ...
    @property
    def spec(self) -> object: ...


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """`created` (seconds) decides between routes that match alike; 0 where nobody knows: then names do."""

    ref: ObjectRef
    spec: ApiSpec
    created: float = 0.0


class Group(msgspec.Struct, frozen=True, order=True):
    """A parent and all that is bound to it."""

    parent: Literal["gateway", "service"]
    namespace: str
    name: str


class ListenerStanding(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    kinds: tuple[str, ...]
    routes: int
    conditions: tuple[Condition, ...]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What an object is told of one parent (None: of itself). `made` is what came of it there, `backends` the full
    host names it sends to, `parent_host` that of a parent Service: whether these exist is seen where they are known."""

    ref: ObjectRef
    parent: ParentRef | None
    conditions: tuple[Condition, ...]
    made: tuple[ObjectRef, ...] = ()
    backends: tuple[str, ...] = ()
    parent_host: str = ""
    listeners: tuple[ListenerStanding, ...] = ()


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """`missing`: for each rule of a VirtualService the status that is answered for a backend that is not there."""

    derived: Derived
    missing: tuple[int, ...] = ()


class Derivation(msgspec.Struct, frozen=True, kw_only=True):
    made: tuple[Made, ...] = ()
    standings: tuple[Standing, ...] = ()
    findings: tuple[tuple[ObjectRef, Finding], ...] = ()


# -- groups --


def groups_for(ref: ObjectRef, spec: object) -> list[Group]:
    """The groups that one object begins or is bound to. Classes and grants belong to whoever needs them."""
    if isinstance(spec, Gateway):
        return [Group("gateway", ref.namespace, ref.name)]
    if isinstance(spec, HttpRoute | GrpcRoute):
        found = (_group_of(parent, ref.namespace) for parent in spec.parent_refs)
        return list(dict.fromkeys(group for group in found if group is not None))
    return []


def _group_of(parent: ParentRef, namespace: str) -> Group | None:
    where = parent.namespace or namespace
    if (parent.group, parent.kind) == (GROUP, "Gateway"):
        return Group("gateway", where, parent.name)
    if parent.group in ("", "core") and parent.kind == "Service":
        return Group("service", where, parent.name)
    return None


def derive(objects: Iterable[ApiObject], created: Mapping[ObjectRef, float] | None = None) -> Derivation:
    """Everything at once."""
    ages = created or {}
    members = [
        Member(ref=each.ref, spec=each.spec, created=ages.get(each.ref, 0.0))
        for each in sorted(objects, key=lambda each: each.ref)
        if isinstance(each.spec, API_SPECS)
    ]
    groups: dict[Group, list[Member]] = {}
    for member in members:
        for group in groups_for(member.ref, member.spec):
            groups.setdefault(group, []).append(member)
    common = [each for each in members if isinstance(each.spec, GatewayClass | ReferenceGrant)]
    parts = [derive_group(group, [*groups[group], *common]) for group in sorted(groups)]
    return Derivation(
        made=tuple(each for part in parts for each in part.made),
        standings=tuple(each for part in parts for each in part.standings),
        findings=tuple(each for part in parts for each in part.findings),
    )


def derive_group(group: Group, members: Iterable[Member]) -> Derivation:
    """`members` are the group's, with all classes and grants there are."""
    mine = list(members)
    grants = [(each.ref.namespace, each.spec) for each in mine if isinstance(each.spec, ReferenceGrant)]
    bound = [
        _Bound(each, number, parent, grants)
        for each in mine
        if isinstance(each.spec, HttpRoute | GrpcRoute)
        for number, parent in enumerate(each.spec.parent_refs)
        if _group_of(parent, each.ref.namespace) == group
    ]
    if group.parent == "service":
        return _service(group, bound)
    gateway = next(((each.ref, each.spec) for each in mine if isinstance(each.spec, Gateway)), None)
    if gateway is None:
        return _orphans(group, bound)
    classes = {each.ref.name: each.spec for each in mine if isinstance(each.spec, GatewayClass)}
    if not _is_ours(gateway[1].gateway_class_name, classes):
        return _of_another(gateway[0], bound)
    return _gateway(gateway[0], gateway[1], bound)


def _is_ours(name: str, classes: Mapping[str, GatewayClass]) -> bool:
    if name in classes:
        return classes[name].controller_name in CONTROLLERS
    return name in BUILT_IN_CLASSES


class _Bound:
    """One route at one of its parents."""

    def __init__(
        self, member: Member, number: int, parent: ParentRef, grants: list[tuple[str, ReferenceGrant]]
    ) -> None:
        assert isinstance(member.spec, HttpRoute | GrpcRoute)
        self.ref, self.spec, self.created = member.ref, member.spec, member.created
        self.number, self.parent, self._grants = number, parent, grants

    def permitted(self, backend: BackendObject) -> bool:
        return is_service(backend) and is_permitted(self.ref, backend, self._grants)

    def backends(self) -> Iterator[BackendObject]:
        for rule in self.spec.rules:
            yield from rule.backend_refs
            yield from (each.request_mirror.backend_ref for each in rule.filters if each.request_mirror)

    def standing(
        self, accepted: Condition, made: tuple[ObjectRef, ...] = (), parent_host: str = ""
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
        for each in ruled(self.ref, self.spec, place, self.permitted):
            yield (each.rank, self.created, self.ref.namespace, self.ref.name, each.place), each


def _no_gateway(message: str) -> Condition:
    return Condition(type="Accepted", status=False, reason="NoMatchingParent", message=message)


def _orphans(group: Group, bound: list[_Bound]) -> Derivation:
    message = f"there is no Gateway {group.namespace}/{group.name}"
    return Derivation(standings=tuple(each.standing(_no_gateway(message)) for each in bound))


def _of_another(gateway: ObjectRef, bound: list[_Bound]) -> Derivation:
    message = "its class is not one of ours: no GatewayClass of that name has our controllerName"
    told = warning((*SPEC, "gatewayClassName"), "no-effect", message)
    accepted = Condition(type="Accepted", status=None, reason="Pending", message=message)
    standings = [each.standing(_no_gateway(f"{gateway} is another controller's")) for each in bound]
    own = Standing(ref=gateway, parent=None, conditions=(accepted,))
    return Derivation(standings=(own, *standings), findings=((gateway, told),))


# -- a Gateway --


def derived_gateway_name(name: str) -> str:
    return f"{name}-gateway-api"


def _gateway(ref: ObjectRef, spec: Gateway, bound: list[_Bound]) -> Derivation:
    attached = [(each, *attach(each.ref, each.spec.hostnames, each.parent, ref, spec)) for each in bound]
    made = [_servers(ref, spec)]
    of_route: dict[tuple[ObjectRef, int], list[ObjectRef]] = {}
    for port in sorted({each.port for each in spec.listeners}):
        at_port = [
            (each, binding)
            for each, _, bindings in attached
            for binding in bindings
            if binding.listener.port == port
        ]
        hosts = {host for host, _ in listener_hosts(spec, port)}
        hosts |= {host for _, binding in at_port for host in binding.hosts}
        for host in sorted(hosts):
            one, served = _host(ref, spec, port, host, at_port)
            if one is None:
                continue
            made.append(one)
            for each in served:
                of_route.setdefault((each.ref, each.number), []).append(one.derived.ref)
    standings = [
        each.standing(accepted, tuple(of_route.get((each.ref, each.number), ())))
        for each, accepted, _ in attached
    ]
    own = _gateway_standing(ref, spec, attached, tuple(each.derived.ref for each in made))
    return Derivation(made=tuple(made), standings=(own, *standings))


def _gateway_standing(
    ref: ObjectRef,
    spec: Gateway,
    attached: list[tuple[_Bound, Condition, tuple[Attached, ...]]],
    made: tuple[ObjectRef, ...],
) -> Standing:
    accepted = Condition(type="Accepted", status=True, reason="Accepted")
    listeners: list[ListenerStanding] = []
    for listener in spec.listeners:
        routes = {each.ref for each, _, bindings in attached for one in bindings if one.listener is listener}
        kinds, resolved = supported_kinds(listener), "ResolvedRefs"
        asked = [each.kind for each in listener.allowed_routes.kinds]
        has_all = all(kind in kinds for kind in asked)
        conditions = (
            accepted,
            Condition(type="Conflicted", status=False, reason="NoConflicts"),
            Condition(type=resolved, status=has_all, reason=resolved if has_all else "InvalidRouteKinds"),
        )
        listeners.append(
            ListenerStanding(name=listener.name, kinds=kinds, routes=len(routes), conditions=conditions)
        )
    return Standing(ref=ref, parent=None, conditions=(accepted,), made=made, listeners=tuple(listeners))


def _servers(ref: ObjectRef, spec: Gateway) -> Made:
    """One server a port, for every name: which names there are is said by the VirtualServices."""
    servers: list[Json] = []
    places: list[Written] = []
    for index, listener in enumerate(spec.listeners):
        if listener.port in [each.port for each in spec.listeners[:index]]:
            continue
        places.append(Written((*SPEC, "servers", len(servers)), ref, (*SPEC, "listeners", index)))
        port: Json = {"number": listener.port, "name": f"http-{listener.port}", "protocol": "HTTP"}
        servers.append({"port": port, "hosts": ["*"]})
    derived = Derived(
        kind="Gateway",
        namespace=ref.namespace,
        name=derived_gateway_name(ref.name),
        spec={"selector": {GATEWAY_NAME_LABEL: ref.name}, "servers": servers},
        sources=(ref,),
        places=tuple(places),
    )
    return Made(derived=derived)


def _host(
    ref: ObjectRef, spec: Gateway, port: int, host: str, at_port: list[tuple[_Bound, Attached]]
) -> tuple[Made | None, list[_Bound]]:
    """The rules of one name: of routes bound to the most specific listener for it, under any name that covers it."""
    listeners = sorted(listener_hosts(spec, port), key=lambda each: specificity(each[0]))
    own: Listener | None = next((listener for name, listener in listeners if covers(name, host)), None)
    if own is None:
        return None, []
    found: list[tuple[tuple[object, ...], Ruled]] = []
    served: list[_Bound] = []
    seen: set[ObjectRef] = set()
    for each, binding in at_port:
        names = [name for name in binding.hosts if covers(name, host)]
        if binding.listener is not own or not names or each.ref in seen:
            continue
        seen.add(each.ref)
        served.append(each)
        nearest = min(map(specificity, names))
        place = Place(port=port, is_listener=True)
        found += [((nearest, *order), rule) for order, rule in each.rules(place)]
    rules = [rule for _, rule in sorted(found, key=lambda one: one[0])]
    sources = tuple(dict.fromkeys([*(rule.draft.source for rule in rules), ref]))
    name = f"{ref.name}-{port}-{object_name(host)}"
    head: dict[str, Json] = {"hosts": [host], "gateways": [derived_gateway_name(ref.name)]}
    if not rules:
        rules = [Ruled(rank=(), place=(0, 0, 0), draft=_nothing(ref, port), missing=HTTP_ERROR)]
    return _virtual_service(ref.namespace, name, head, rules, sources), served


def _nothing(ref: ObjectRef, port: int) -> Draft:
    """A listener without routes for a name must not leave it to a wider listener."""
    draft = Draft(ref)
    draft.value = {"match": [{"port": port}], **NOT_FOUND}
    return draft


def _virtual_service(
    namespace: str,
    name: str,
    head: dict[str, Json],
    rules: list[Ruled],
    sources: tuple[ObjectRef, ...],
) -> Made:
    http: list[Json] = []
    places: list[Written] = []
    for rule in rules:
        places += rule.draft.below((*SPEC, "http", len(http)))
        http.append(rule.draft.value)
    derived = Derived(
        kind="VirtualService",
        namespace=namespace,
        name=name,
        spec={**head, "http": http},
        sources=sources,
        places=tuple(places),
    )
    return Made(derived=derived, missing=tuple(rule.missing for rule in rules))


# -- a service's callers --


def _service(group: Group, bound: list[_Bound]) -> Derivation:
    """Routes of the service's own namespace are for all its callers; those of another for the callers there, and
    instead of the former."""
    host = service_hostname(group.name, group.namespace)
    rules: list[Ruled] = []
    by_namespace: dict[str, list[_Bound]] = {}
    for each in bound:
        by_namespace.setdefault(each.ref.namespace, []).append(each)
    for namespace in sorted(by_namespace, key=lambda name: (name == group.namespace, name)):
        asked = "" if namespace == group.namespace else namespace
        found = [
            ordered
            for each in by_namespace[namespace]
            for ordered in each.rules(Place(port=each.parent.port, namespace=asked))
        ]
        rules += [rule for _, rule in sorted(found, key=lambda one: one[0])]
        rules += _nothing_else(by_namespace[namespace], asked)
    if all(each.parent.port for each in by_namespace.get(group.namespace, ())):
        # What no route is about is as without routes.
        rules.append(_plain(bound[0], {"route": [{"destination": {"host": host}}]}))
    sources = tuple(dict.fromkeys(rule.draft.source for rule in rules))
    head: dict[str, Json] = {"hosts": [host]}
    made = _virtual_service(group.namespace, f"{group.name}-gateway-api", head, rules, sources)
    accepted = Condition(type="Accepted", status=True, reason="Accepted")
    standings = [each.standing(accepted, (made.derived.ref,), host) for each in bound]
    return Derivation(made=(made,), standings=tuple(standings))


def _nothing_else(bound: list[_Bound], namespace: str) -> Iterator[Ruled]:
    """A request that no rule matches, on ports that routes are about, is not found."""
    for port in dict.fromkeys(each.parent.port for each in bound):
        match: dict[str, Json] = {"sourceNamespace": namespace} if namespace else {}
        if port is not None:
            match["port"] = port
        yield _plain(bound[0], {**NOT_FOUND, **({"match": [match]} if match else {})})


def _plain(source: _Bound, rule: dict[str, Json]) -> Ruled:
    draft = Draft(source.ref)
    draft.value = rule
    return Ruled(rank=(), place=(0, 0, 0), draft=draft, missing=HTTP_ERROR)
