"""What an object of Gateway API is told, as its `status` section. Computed when somebody asks; never stored.

Known here is what the derivation found. Which services exist, and which proxies have taken what, the caller tells.
"""

from collections.abc import Callable, Iterable

from proa.core.config.fields import shape_of
from proa.core.config.gateway_api.attach import Condition
from proa.core.config.gateway_api.bound import ListenerStanding, Standing
from proa.core.config.gateway_api.gateway_schema import CONTROLLERS, GatewayClass
from proa.core.config.gateway_api.schema import GROUP, ParentRef
from proa.core.config.tree import Json

SUPPORTED_FEATURES = (
    "BackendTLSPolicy",
    "BackendTLSPolicySANValidation",
    "GRPCRoute",
    "GRPCRouteNamedRouteRule",
    "Gateway",
    "GatewayHTTPListenerIsolation",
    "GatewayPort8080",
    "HTTPRoute",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendProtocolWebSocket",
    "HTTPRouteBackendRequestHeaderModification",
    "HTTPRouteBackendTimeout",
    "HTTPRouteCORS",
    "HTTPRouteDestinationPortMatching",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRouteParentRefPort",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestMirror",
    "HTTPRouteRequestMultipleMirrors",
    "HTTPRouteRequestPercentageMirror",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteSchemeRedirect",
    "ListenerSet",
    "Mesh",
    "ReferenceGrant",
    "TCPRoute",
    "TLSRoute",
    "TLSRouteModeTerminate",
)
"""The specification's names, sorted as it asks for. Of each the tests show what it does on a real proxy."""
Exists = Callable[[str], bool]
Programmed = Callable[[Standing], Condition]


def route_status(
    standings: Iterable[Standing], exists: Exists, programmed: Programmed, version: int
) -> dict[str, Json]:
    parents: list[Json] = []
    for each in standings:
        assert each.parent is not None
        accepted, resolved = each.conditions
        if each.parent_host and not exists(each.parent_host):
            message = f"there is no service {each.parent_host}"
            accepted = Condition(type="Accepted", status=False, reason="NoMatchingParent", message=message)
        missing = [host for host in each.backends if not exists(host)]
        if resolved.status and missing:
            message = f"there is no service {', '.join(missing)}"
            resolved = Condition(type="ResolvedRefs", status=False, reason="BackendNotFound", message=message)
        conditions = [accepted, resolved]
        if accepted.status and each.made:
            conditions.append(programmed(each))
        parents.append(
            {
                "parentRef": _parent(each.parent),
                "controllerName": CONTROLLERS[0],
                "conditions": [condition_text(one, version) for one in conditions],
            }
        )
    return {"parents": parents}


def _parent(parent: ParentRef) -> Json:
    """As written, with the group and kind that stand for none."""
    written = shape_of(ParentRef).write(parent)
    assert isinstance(written, dict)
    return {"group": parent.group, "kind": parent.kind, **written}


def gateway_status(standing: Standing, programmed: Programmed, version: int) -> dict[str, Json]:
    told = programmed(standing) if standing.made else None
    conditions = [*standing.conditions, *([told] if told else [])]
    listeners = [_listener(each, told, version) for each in standing.listeners]
    status: dict[str, Json] = {"conditions": [condition_text(each, version) for each in conditions]}
    if listeners:
        status["listeners"] = listeners
    if standing.sets:
        status["attachedListenerSets"] = standing.sets
    return status


def _listener(listener: ListenerStanding, programmed: Condition | None, version: int) -> Json:
    conditions = [*listener.conditions, *([programmed] if programmed else [])]
    kinds: list[Json] = [{"group": GROUP, "kind": kind} for kind in listener.kinds]
    return {
        "name": listener.name,
        "supportedKinds": kinds,
        "attachedRoutes": listener.routes,
        "conditions": [condition_text(each, version) for each in conditions],
    }


def policy_status(
    standings: Iterable[Standing], exists: Exists, programmed: Programmed, version: int
) -> dict[str, Json]:
    """Whoever calls the Service has to do with a policy, by whatever way: so the Service is its ancestor."""
    ancestors: list[Json] = []
    for each in standings:
        assert each.target is not None
        accepted, *others = each.conditions
        if accepted.status and not exists(each.parent_host):
            message = f"there is no service {each.parent_host}"
            accepted = Condition(type="Accepted", status=False, reason="TargetNotFound", message=message)
        conditions = [accepted, *others, *([programmed(each)] if accepted.status else [])]
        target = {"group": each.target.group, "kind": each.target.kind, "name": each.target.name}
        if each.target.section_name:
            target["sectionName"] = each.target.section_name
        ancestors.append(
            {
                "ancestorRef": dict[str, Json](target),
                "controllerName": CONTROLLERS[0],
                "conditions": [condition_text(one, version) for one in conditions],
            }
        )
    return {"ancestors": ancestors}


def class_status(spec: GatewayClass, version: int) -> dict[str, Json]:
    """A class of another controller is not ours to judge."""
    if spec.controller_name not in CONTROLLERS:
        waiting = Condition(type="Accepted", status=None, reason="Waiting", message="another controller's")
        return {"conditions": [condition_text(waiting, version)]}
    accepted = Condition(type="Accepted", status=True, reason="Accepted")
    features: list[Json] = [{"name": name} for name in SUPPORTED_FEATURES]
    return {"conditions": [condition_text(accepted, version)], "supportedFeatures": features}


def condition_text(condition: Condition, version: int) -> Json:
    """`version` of the object counts as its generation. Times of transitions are not kept."""
    words = {True: "True", False: "False", None: "Unknown"}
    return {
        "type": condition.type,
        "status": words[condition.status],
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": version,
    }
