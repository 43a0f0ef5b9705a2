"""How the stories of this folder write requests and read responses."""

from collections.abc import Mapping

import msgspec

from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.actions import Action, Send
from proa.core.pilot.xds.wire import decode_response, encode_request


class Sent(msgspec.Struct, frozen=True):
    """A response as a story tells it."""

    type: ResourceType
    nonce: str
    changed: Mapping[str, str] = {}
    removed: tuple[str, ...] = ()


def view(action: Action) -> object:
    if not isinstance(action, Send):
        return action
    response = decode_response(action.body)
    changed = {resource.name: resource.digest for resource in response.changed}
    return Sent(response.type, response.nonce, changed, response.removed)


def want(kind: ResourceType, *names: str, **initial: str) -> bytes:
    return encode_request(kind, subscribe=names, initial=initial)


def drop(kind: ResourceType, *names: str) -> bytes:
    return encode_request(kind, unsubscribe=names)


def ack(kind: ResourceType, nonce: int) -> bytes:
    return encode_request(kind, nonce=str(nonce))


def nack(kind: ResourceType, nonce: int, error: str) -> bytes:
    return encode_request(kind, nonce=str(nonce), error=error)
