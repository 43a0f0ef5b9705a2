"""Listeners of the way out."""

from envoy.config.listener.v3.listener_pb2 import Listener

from proa.core.model.settings import Handling
from proa.core.pilot.simulate import Upstream
from proa.core.pilot.simulate.resources import decode
from proa.core.pilot.translate.listeners.outbound import (
    ExplicitListenerIntent,
    InternalListenerIntent,
    build_explicit_listener,
    build_internal_listener,
)
from proa.core.sidecar import session
from proa.testing.builders import Mesh, registration, simple


def test_the_explicit_proxy_is_for_the_own_app_alone() -> None:
    resource = build_explicit_listener(ExplicitListenerIntent(port=15001, handling=Handling()))
    assert decode(resource, Listener).address.socket_address.address == "127.0.0.1"


def test_an_internal_listener_has_no_address_and_waits_a_second_for_a_client_that_speaks() -> None:
    resource = build_internal_listener(InternalListenerIntent(port=80, handling=Handling()))
    listener = decode(resource, Listener)
    assert listener.HasField("internal_listener")
    assert not listener.HasField("address")
    assert listener.listener_filters_timeout.seconds == 1
    assert listener.continue_on_listener_filters_timeout


def test_a_local_port_leads_to_its_upstream() -> None:
    upstream = session.Upstream(host="db", port=6379, local_port=31000)
    mesh = Mesh(registration("app", upstreams=(upstream,)), simple("db", protocol="TCP", number=6379))
    outcome = mesh.get("app", "tcp://db/", via=Upstream(local_port=31000))
    assert outcome.cluster == "outbound|6379||db.default.svc.cluster.local"
    assert len(outcome.candidates) == 1
