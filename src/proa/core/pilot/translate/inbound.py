"""From a workload's inbound view to the intents of its inbound clusters and listeners."""

from collections.abc import Iterator, Mapping

import msgspec
from immutables import Map

from proa.core.mixer.needs import Checked, Needs
from proa.core.mixer.pushdown.values import Denial
from proa.core.model.settings import MeshSettings, Reporting
from proa.core.model.workload import InboundPort, Workload
from proa.core.pilot.scope.authorization import AuthorizationView
from proa.core.pilot.scope.end_users import EndUserView
from proa.core.pilot.scope.inbound import InboundView, ServedPort
from proa.core.pilot.scope.telemetry import reported
from proa.core.pilot.translate.authorization.filters import AuthorizationIntent, authorization_name, seen_from
from proa.core.pilot.translate.authorization.predicates import Place
from proa.core.pilot.translate.cluster_policy import ConnectionPool
from proa.core.pilot.translate.clusters import InboundClusterIntent
from proa.core.pilot.translate.filters.mixer.place import MixerIntent, mixer_intent
from proa.core.pilot.translate.filters.tokens import TokensIntent, tokens_name
from proa.core.pilot.translate.listeners.inbound import InboundListenerIntent
from proa.core.pilot.translate.operator_tls import served_tls
from proa.core.pilot.translate.traffic_policy import limits_of

CONNECT_TIMEOUT_MS = 10_000


def inbound_clusters(view: InboundView) -> Iterator[InboundClusterIntent]:
    for served in view.ports:
        tcp = served.pool.tcp if served.pool else None
        yield InboundClusterIntent(
            service_port=served.port.service_port,
            app=served.app,
            protocol=served.port.protocol,
            pool=_limits(served),
            connect_timeout_ms=(tcp.connect_timeout if tcp else None) or CONNECT_TIMEOUT_MS,
            objects=(served.sidecar,) if served.sidecar else (),
        )


def _limits(served: ServedPort) -> ConnectionPool:
    """A program is spoken to as its port declares: what clients may be upgraded to is not its affair."""
    pool = limits_of(served.pool)
    return msgspec.structs.replace(pool, http="declared") if pool.http == "h2" else pool


def inbound_listeners(
    view: InboundView,
    policies: AuthorizationView,
    workload: Workload,
    settings: MeshSettings,
    revoked_since: int = 0,
    streams: Mapping[int, tuple[Checked, ...]] = Map(),
    told: Mapping[int, Reporting] = Map(),
) -> Iterator[InboundListenerIntent]:
    """By service port: `streams` are Mixer's checks of raw streams, `told` is what it is told."""
    for served in view.ports:
        port = served.port
        yield InboundListenerIntent(
            bind=workload.bind,
            sidecar_port=port.sidecar_port,
            service_port=port.service_port,
            protocol=port.protocol,
            mode=port.mode,
            handling=reported(settings.handling, server=told.get(port.service_port)),
            authorization=port_authorization(port, policies, settings),
            asked=streams.get(port.service_port, ()),
            revoked_since=revoked_since if port.mode != "DISABLE" else 0,
            knows_partners=workload.knows_partners and port.mode != "DISABLE",
            tls=served_tls(served.tls) if served.tls is not None else None,
            objects=(served.sidecar,) if served.sidecar and served.tls else (),
        )


def inbound_authorization(
    view: InboundView, policies: AuthorizationView, settings: MeshSettings
) -> Iterator[AuthorizationIntent]:
    """What the listeners' places for policies are filled with."""
    for served in view.ports:
        intent = port_authorization(served.port, policies, settings)
        if served.port.protocol in ("TCP", "TLS"):
            continue
        if served.port.mode != "DISABLE":
            yield intent
        if served.port.mode != "STRICT":
            yield seen_from(intent, has_peer=False)


def port_authorization(
    port: InboundPort, policies: AuthorizationView, settings: MeshSettings
) -> AuthorizationIntent:
    """A port is known by the program's number and by the service's. Where no policy asks for ports the program's is
    left out: it may be any, and all else is alike for all replicas."""
    found = policies.at(port.service_port)
    asked = any(term.attribute == "port" for policy in found for rule in policy.rules for term in rule.terms)
    numbers = (port.app_port, port.service_port) if asked else (port.service_port,)
    return AuthorizationIntent(
        name=authorization_name(port.service_port),
        place=Place(ports=numbers, trust_domain=settings.trust_domain, aliases=settings.trust_domain_aliases),
        policies=found,
        providers=settings.check_providers if any(each.provider for each in found) else (),
    )


def inbound_tokens(view: InboundView, users: EndUserView) -> Iterator[TokensIntent]:
    """What the listeners' places for tokens are filled with. Streams carry none."""
    for served in view.ports:
        if served.port.protocol not in ("TCP", "TLS"):
            yield TokensIntent(name=tokens_name(served.port.service_port), rules=users.rules)


MixerPlace = tuple[int, bool]
"""A service port, and whether mesh TLS ends there."""


def inbound_mixer(
    view: InboundView,
    needs: Mapping[int, Needs],
    denials: Mapping[MixerPlace, tuple[Denial, ...]],
    trust_domain: str,
) -> Iterator[MixerIntent]:
    """What the listeners' places for Mixer are filled with, `needs` by service port."""
    for served in view.ports:
        for port, has_peer in mixer_places(served.port):
            yield mixer_intent(
                port,
                needs.get(port, Needs()),
                has_peer=has_peer,
                denials=denials.get((port, has_peer), ()),
                trust_domain=trust_domain,
            )


def mixer_places(port: InboundPort) -> tuple[MixerPlace, ...]:
    """Of a port at which requests come in."""
    if port.protocol in ("TCP", "TLS"):
        return ()
    peers = ((True,) if port.mode != "DISABLE" else ()) + ((False,) if port.mode != "STRICT" else ())
    return tuple((port.service_port, has_peer) for has_peer in peers)
