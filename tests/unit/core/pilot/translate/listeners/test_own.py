"""Which connections a listener of a sidecar's own takes."""

from envoy.config.listener.v3.listener_pb2 import Listener

from proa.core.model.names import ObjectRef
from proa.core.model.settings import Handling
from proa.core.pilot.simulate import OWN_TLS, RAW, Connection
from proa.core.pilot.simulate.resources import decode
from proa.core.pilot.simulate.walk import find_chain
from proa.core.pilot.translate.listeners.own import OwnListenerIntent, build_own_listener
from proa.core.pilot.translate.routes.intents import ConnectStream, Stream, Target

SIDECAR, RULE = ObjectRef("Sidecar", "default", "s"), ObjectRef("VirtualService", "default", "v")


def stream(cluster: str, *names: str) -> ConnectStream:
    return ConnectStream(stream=Stream(targets=(Target(cluster=cluster),)), names=names, objects=(RULE,))


def built(*streams: ConnectStream, routes: str = "") -> Listener:
    intent = OwnListenerIntent(
        name="127.0.0.1_80",
        bind="127.0.0.1",
        port=80,
        handling=Handling(),
        routes=routes,
        streams=streams,
        objects=(SIDECAR,),
    )
    resource = build_own_listener(intent)
    assert resource.objects == ((SIDECAR, RULE) if streams else (SIDECAR,))
    return decode(resource, Listener)


def chain(listener: Listener, connection: Connection) -> str:
    found = find_chain(listener, connection)
    return found.name if found is not None else ""


def asking(name: str) -> Connection:
    return Connection(transport="tls", protocols=OWN_TLS.protocols, sni=name)


def test_names_in_tls() -> None:
    listener = built(stream("a", "a.example.com", "a"), stream("b", "*.example.com"))
    assert chain(listener, asking("a.example.com")) == "a.example.com"
    assert chain(listener, asking("b.example.com")) == "*.example.com"
    assert chain(listener, asking("other")) == chain(listener, RAW) == ""


def test_whatever_comes() -> None:
    assert chain(built(stream("a")), RAW) == "stream"
    assert chain(built(routes="127.0.0.1_80"), RAW) == "http"
    assert chain(built(), RAW) == "nowhere"
