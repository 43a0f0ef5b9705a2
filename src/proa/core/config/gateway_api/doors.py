"""The listeners of one Gateway, its own and those that ListenerSets add, and how they stand.

Where two cannot both be served the Gateway's own comes first, then the older set's, then by name.
"""

from collections.abc import Iterator

import msgspec

from proa.core.config.gateway_api.attach import Attached, Condition, Door, host_of, lets_in, supported_kinds
from proa.core.config.gateway_api.bound import Bound, ListenerStanding, Member, Standing
from proa.core.config.gateway_api.gateway_schema import Gateway, ListenerSet
from proa.core.model.names import ObjectRef

Attachment = tuple[Bound, Condition, tuple[Attached, ...]]
ACCEPTED = Condition(type="Accepted", status=True, reason="Accepted")


class Entrance(msgspec.Struct, frozen=True, kw_only=True):
    """`doors` are served; `conflicts` are not, each with the reason why. `refused` are sets that may add nothing."""

    doors: tuple[Door, ...]
    conflicts: tuple[tuple[Door, str], ...] = ()
    sets: tuple[ObjectRef, ...] = ()
    refused: tuple[ObjectRef, ...] = ()


def entrance(ref: ObjectRef, spec: Gateway, sets: list[Member]) -> Entrance:
    doors = list(_doors(ref, spec))
    conflicts: list[tuple[Door, str]] = []
    refused: list[ObjectRef] = []
    let_in: list[ObjectRef] = []
    for each in sorted(sets, key=lambda one: (one.created, one.ref)):
        assert isinstance(each.spec, ListenerSet)
        if not lets_in(spec.allowed_listeners.namespaces, each.ref.namespace, ref.namespace):
            refused.append(each.ref)
            continue
        let_in.append(each.ref)
        for door in _doors(each.ref, each.spec):
            if reason := _conflict(door, doors):
                conflicts.append((door, reason))
            else:
                doors.append(door)
    return Entrance(
        doors=tuple(doors), conflicts=tuple(conflicts), sets=tuple(let_in), refused=tuple(refused)
    )


def _doors(owner: ObjectRef, spec: Gateway | ListenerSet) -> Iterator[Door]:
    for index, listener in enumerate(spec.listeners):
        yield Door(listener=listener, owner=owner, index=index)


def _conflict(door: Door, taken: list[Door]) -> str:
    for each in taken:
        if each.listener.port == door.listener.port:
            if each.listener.protocol != door.listener.protocol:
                return "ProtocolConflict"
            if host_of(each.listener) == host_of(door.listener):
                return "HostnameConflict"
    return ""


def gateway_standing(
    ref: ObjectRef, found: Entrance, attached: list[Attachment], made: tuple[ObjectRef, ...]
) -> Standing:
    listeners = tuple(_listener(each, attached, "") for each in found.doors if each.owner == ref)
    return Standing(
        ref=ref,
        parent=None,
        conditions=(ACCEPTED,),
        made=made,
        gateway=ref.name,
        listeners=listeners,
        sets=len(found.sets),
    )


def set_standings(
    ref: ObjectRef, found: Entrance, attached: list[Attachment], made: tuple[ObjectRef, ...]
) -> Iterator[Standing]:
    """`ref` is the Gateway's."""
    for each in found.sets:
        served = [_listener(door, attached, "") for door in found.doors if door.owner == each]
        others = [_listener(door, [], reason) for door, reason in found.conflicts if door.owner == each]
        accepted = ACCEPTED
        if not served:
            message = "none of its listeners can be served: other listeners have their ports and names"
            accepted = Condition(type="Accepted", status=False, reason="ListenersNotValid", message=message)
        yield Standing(
            ref=each,
            parent=None,
            conditions=(accepted,),
            made=made if served else (),
            gateway=ref.name,
            listeners=(*served, *others),
        )
    for each in found.refused:
        message = f"{ref} lets no ListenerSets of namespace {each.namespace} in: see its allowedListeners"
        refused = Condition(type="Accepted", status=False, reason="NotAllowed", message=message)
        yield Standing(ref=each, parent=None, conditions=(refused,), gateway=ref.name)


def _listener(door: Door, attached: list[Attachment], conflict: str) -> ListenerStanding:
    listener = door.listener
    routes = {each.ref for each, _, bindings in attached for one in bindings if one.door == door}
    kinds = supported_kinds(listener)
    has_all = all(each.kind in kinds for each in listener.allowed_routes.kinds)
    accepted = ACCEPTED
    if conflict:
        message = "another listener has its port" + (" and name" if conflict == "HostnameConflict" else "")
        accepted = Condition(type="Accepted", status=False, reason=conflict, message=message)
    conditions = (
        accepted,
        Condition(type="Conflicted", status=bool(conflict), reason=conflict or "NoConflicts"),
        Condition(
            type="ResolvedRefs", status=has_all, reason="ResolvedRefs" if has_all else "InvalidRouteKinds"
        ),
    )
    return ListenerStanding(name=listener.name, kinds=kinds, routes=len(routes), conditions=conditions)
