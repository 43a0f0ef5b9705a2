"""What GatewayClass, Gateway and ReferenceGrant say, as users write them."""

from typing import Literal

from immutables import Map

from proa.core.config.gateway_api.schema import GROUP, ApiRecord
from proa.core.config.record import Port

CONTROLLERS = ("proa.dev/gateway-controller", "istio.io/gateway-controller")
"""GatewayClasses of these are ours. Istio's is, so that its files work as they are."""
BUILT_IN_CLASSES = ("proa", "istio")
"""Classes that a Gateway may name without an object of that name."""
GATEWAY_NAME_LABEL = "gateway.networking.k8s.io/gateway-name"
"""Worn by the proxies that serve a Gateway, with its name."""


class GatewayClass(ApiRecord, frozen=True, kw_only=True):
    NOT_YET = ("parametersRef",)

    controller_name: str
    description: str = ""


class LabelSelector(ApiRecord, frozen=True, kw_only=True):
    NOT_YET = ("matchExpressions",)

    match_labels: Map[str, str] = Map()


class RouteNamespaces(ApiRecord, frozen=True, kw_only=True):
    from_: Literal["Same", "All", "Selector", "None"] = "Same"
    selector: LabelSelector | None = None


class ListenerNamespaces(ApiRecord, frozen=True, kw_only=True):
    from_: Literal["Same", "All", "Selector", "None"] = "None"
    selector: LabelSelector | None = None


class AllowedListeners(ApiRecord, frozen=True, kw_only=True):
    """From which namespaces ListenerSets may add listeners; from none where nothing is said."""

    namespaces: ListenerNamespaces = ListenerNamespaces()


class RouteKind(ApiRecord, frozen=True, kw_only=True):
    group: str = GROUP
    kind: str


class AllowedRoutes(ApiRecord, frozen=True, kw_only=True):
    """No kinds: all that the listener's protocol can do."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: tuple[RouteKind, ...] = ()


class CertificateRef(ApiRecord, frozen=True, kw_only=True):
    """A secret with a certificate and its key, kept on the gateway's host (`proa secret create tls`)."""

    group: str = ""
    kind: str = "Secret"
    name: str
    namespace: str = ""


class ListenerTls(ApiRecord, frozen=True, kw_only=True):
    NOT_YET = ("frontendValidation", "options")

    mode: Literal["Terminate", "Passthrough"] = "Terminate"
    certificate_refs: tuple[CertificateRef, ...] = ()


class Listener(ApiRecord, frozen=True, kw_only=True):
    """No hostname: every one. HTTPS ends TLS, the protocol TLS ends it or passes it on."""

    name: str
    hostname: str = ""
    port: Port
    protocol: str
    tls: ListenerTls | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class Gateway(ApiRecord, frozen=True, kw_only=True):
    NOT_YET = ("addresses", "infrastructure", "tls", "defaultScope")

    gateway_class_name: str
    listeners: tuple[Listener, ...]
    allowed_listeners: AllowedListeners = AllowedListeners()


class GatewayRef(ApiRecord, frozen=True, kw_only=True):
    """Without a namespace it is in that of who names it."""

    group: str = GROUP
    kind: str = "Gateway"
    name: str
    namespace: str = ""


class ListenerSet(ApiRecord, frozen=True, kw_only=True):
    """Listeners that somebody else adds to a Gateway, if that allows it."""

    parent_ref: GatewayRef
    listeners: tuple[Listener, ...]


class GrantFrom(ApiRecord, frozen=True, kw_only=True):
    group: str
    kind: str
    namespace: str


class GrantTo(ApiRecord, frozen=True, kw_only=True):
    """No name: every object of the kind."""

    group: str
    kind: str
    name: str = ""


class ReferenceGrant(ApiRecord, frozen=True, kw_only=True):
    """Objects named by `from` may refer to those named by `to` in the grant's namespace."""

    from_: tuple[GrantFrom, ...]
    to: tuple[GrantTo, ...]
