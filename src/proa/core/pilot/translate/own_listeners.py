"""Where streams of a listener of the proxy's own go: by the name that TLS asks for, else to the one service there is.

The listener is an egress listener of a Sidecar with a port; each view is of a host that it imports. Requests are told
apart by their host instead, in routes of the scope's.
"""

from collections.abc import Iterable

import msgspec

from proa.core.model.notes import Note
from proa.core.pilot.scope.scope import PortImports
from proa.core.pilot.scope.views import HostView
from proa.core.pilot.translate.outbound_streams import outbound_streams, upstream_stream
from proa.core.pilot.translate.routes.intents import ConnectStream


class OwnStreams(msgspec.Struct, frozen=True, kw_only=True):
    """No two have the same name; one without names is alone."""

    streams: tuple[ConnectStream, ...] = ()
    notes: tuple[Note, ...] = ()


def own_streams(listener: PortImports, views: Iterable[HostView]) -> OwnStreams:
    """The hosts in the order of their names."""
    known = sorted((view for view in views if view.service is not None), key=lambda view: view.host)
    return _by_name(listener, known) if listener.protocol == "TLS" else _only_one(listener, known)


def _only_one(listener: PortImports, views: list[HostView]) -> OwnStreams:
    """Bytes that say nothing of where they are for go nowhere when there are several places."""
    where = f"{listener.bind}:{listener.port}"
    if len(views) != 1:
        hosts = ", ".join(view.host for view in views) or "none"
        message = f"a stream at {where} names nobody, and the hosts with port {listener.port} are: {hosts}; import one"
        note = Note(code="egress-listener-undecided", about=listener.sidecar, message=message)
        return OwnStreams(notes=(note,))
    stream, objects = upstream_stream(views[0], views[0].host, listener.port)
    return OwnStreams(streams=(ConnectStream(stream=stream, objects=objects),))


def _by_name(listener: PortImports, views: list[HostView]) -> OwnStreams:
    """A name that two ask for is the first one's."""
    taken: set[str] = set()
    found: list[ConnectStream] = []
    notes: list[Note] = []
    for view in views:
        port = view.service.port(listener.port) if view.service is not None else None
        if view.service is None or port is None:
            continue
        streams = outbound_streams(view, view.service, port)
        notes += streams.notes
        for each in streams.streams:
            names = tuple(name for name in each.names or view.names if name not in taken)
            taken.update(names)
            if names:
                found.append(msgspec.structs.replace(each, names=names))
    return OwnStreams(streams=tuple(found), notes=tuple(dict.fromkeys(notes)))
