"""Objects of Gateway API in groups that do not concern each other: a Gateway or a service, with the routes bound to it,
or with the policies for it.

Nothing here looks at the order in which objects come.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol

import msgspec

from proa.core.config.gateway_api.attach import (
    Condition,
)
from proa.core.config.gateway_api.backend_tls import derive_backend
from proa.core.config.gateway_api.bound import API_SPECS, Bound, Derivation, Member, Standing
from proa.core.config.gateway_api.callers import derive_callers
from proa.core.config.gateway_api.gateway_schema import (
    BUILT_IN_CLASSES,
    CONTROLLERS,
    Gateway,
    GatewayClass,
    ListenerSet,
    ReferenceGrant,
)
from proa.core.config.gateway_api.gateways import derive_gateway
from proa.core.config.gateway_api.policy_schema import BackendTlsPolicy
from proa.core.config.gateway_api.schema import (
    GROUP,
    LISTENER_SETS,
    GrpcRoute,
    HttpRoute,
    ParentRef,
    TcpRoute,
    TlsRoute,
)
from proa.core.config.legacy.draft import SPEC
from proa.core.config.meta import Meta
from proa.core.config.problem import warning
from proa.core.model.names import ObjectRef


class ApiObject(Protocol):
    """A Config whose spec is of this API."""

    @property
    def ref(self) -> ObjectRef: ...
    @property
    def meta(self) -> Meta: ...
    @property
    def spec(self) -> object: ...


class Group(msgspec.Struct, frozen=True, order=True):
    """A parent and all that is bound to it; `backend`: a Service and the policies of those who call it; `listeners`:
    of a ListenerSet that is not there."""

    parent: Literal["gateway", "service", "backend", "listeners"]
    namespace: str
    name: str


Sets = Mapping[ObjectRef, Group]
"""Of each ListenerSet the Gateway's group, to which all belongs that is bound to the set."""


def set_group(ref: ObjectRef, spec: ListenerSet) -> Group:
    return Group("gateway", spec.parent_ref.namespace or ref.namespace, spec.parent_ref.name)


def groups_for(ref: ObjectRef, spec: object, sets: Sets) -> list[Group]:
    """The groups that one object begins or is bound to. Classes and grants belong to whoever needs them."""
    match spec:
        case Gateway():
            return [Group("gateway", ref.namespace, ref.name)]
        case ListenerSet():
            return [set_group(ref, spec)]
        case HttpRoute() | GrpcRoute() | TlsRoute() | TcpRoute():
            found = (_group_of(parent, ref.namespace, sets) for parent in spec.parent_refs)
            return list(dict.fromkeys(group for group in found if group is not None))
        case BackendTlsPolicy():
            names = dict.fromkeys(each.name for each in spec.target_refs)
            return [Group("backend", ref.namespace, name) for name in names]
        case _:
            return []


def _group_of(parent: ParentRef, namespace: str, sets: Sets) -> Group | None:
    where = parent.namespace or namespace
    if (parent.group, parent.kind) == (GROUP, "Gateway"):
        return Group("gateway", where, parent.name)
    if (parent.group, parent.kind) in LISTENER_SETS:
        missing = Group("listeners", where, parent.name)
        return sets.get(ObjectRef(parent.kind, where, parent.name), missing)
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
    sets = {
        each.ref: set_group(each.ref, each.spec) for each in members if isinstance(each.spec, ListenerSet)
    }
    groups: dict[Group, list[Member]] = {}
    for member in members:
        for group in groups_for(member.ref, member.spec, sets):
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
    if group.parent == "backend":
        return derive_backend(group.name, group.namespace, mine)
    grants = [(each.ref.namespace, each.spec) for each in mine if isinstance(each.spec, ReferenceGrant)]
    sets = [each for each in mine if isinstance(each.spec, ListenerSet)]
    of_sets = {each.ref: group for each in sets}
    bound = [
        Bound(each, number, parent, grants)
        for each in mine
        if isinstance(each.spec, HttpRoute | GrpcRoute | TlsRoute | TcpRoute)
        for number, parent in enumerate(each.spec.parent_refs)
        if _group_of(parent, each.ref.namespace, of_sets) == group
    ]
    if group.parent == "service":
        return derive_callers(group.name, group.namespace, bound)
    gateway = next(((each.ref, each.spec) for each in mine if isinstance(each.spec, Gateway)), None)
    if gateway is None:
        return _orphans(group, bound, sets)
    classes = {each.ref.name: each.spec for each in mine if isinstance(each.spec, GatewayClass)}
    if not _is_ours(gateway[1].gateway_class_name, classes):
        return _of_another(gateway[0], bound, sets)
    return derive_gateway(gateway[0], gateway[1], bound, sets)


def _is_ours(name: str, classes: Mapping[str, GatewayClass]) -> bool:
    if name in classes:
        return classes[name].controller_name in CONTROLLERS
    return name in BUILT_IN_CLASSES


def _no_gateway(message: str) -> Condition:
    return Condition(type="Accepted", status=False, reason="NoMatchingParent", message=message)


def _orphans(group: Group, bound: list[Bound], sets: list[Member]) -> Derivation:
    kind = "ListenerSet" if group.parent == "listeners" else "Gateway"
    message = f"there is no {kind} {group.namespace}/{group.name}"
    told = [each.standing(_no_gateway(message)) for each in bound]
    return Derivation(standings=(*_without_parent(sets, message), *told))


def _without_parent(sets: list[Member], message: str) -> Iterator[Standing]:
    refused = Condition(type="Accepted", status=False, reason="ParentNotAccepted", message=message)
    for each in sets:
        yield Standing(ref=each.ref, parent=None, conditions=(refused,))


def _of_another(gateway: ObjectRef, bound: list[Bound], sets: list[Member]) -> Derivation:
    message = "its class is not one of ours: no GatewayClass of that name has our controllerName"
    told = warning((*SPEC, "gatewayClassName"), "no-effect", message)
    accepted = Condition(type="Accepted", status=None, reason="Pending", message=message)
    why = f"{gateway} is another controller's"
    standings = [*_without_parent(sets, why), *(each.standing(_no_gateway(why)) for each in bound)]
    own = Standing(ref=gateway, parent=None, conditions=(accepted,))
    return Derivation(standings=(own, *standings), findings=((gateway, told),))
