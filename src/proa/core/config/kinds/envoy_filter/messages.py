"""Envoy's message types by name, and a patch's value as such a message.

xds-protos has a module per file and the pool knows only those that are imported, so a type that a `@type` names is
looked up in its package and imported when somebody first asks for it.
"""

import importlib
import pkgutil
import re
from functools import lru_cache
from typing import Final

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain, ListenerFilter
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from google.protobuf import descriptor_pool, json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

MESSAGES: Final[dict[str, type[Message]]] = {
    "LISTENER": Listener,
    "FILTER_CHAIN": FilterChain,
    "NETWORK_FILTER": Filter,
    "HTTP_FILTER": HttpFilter,
    "LISTENER_FILTER": ListenerFilter,
    "ROUTE_CONFIGURATION": RouteConfiguration,
    "VIRTUAL_HOST": VirtualHost,
    "HTTP_ROUTE": Route,
    "CLUSTER": Cluster,
    "EXTENSION_CONFIG": TypedExtensionConfig,
}
"""What `value` is, by `applyTo`."""

# Only packages of protobufs are looked into: a name in a document must not import anything else.
_TYPE_NAME = re.compile(
    r"((?:envoy|xds|udpa|google\.protobuf|google\.rpc)(?:\.[a-z][a-z0-9_]*)*)\.[A-Z][A-Za-z0-9_.]*"
)


@lru_cache(maxsize=4096)
def find_type(name: str) -> Descriptor | None:
    """`envoy.extensions.filters.http.lua.v3.Lua`; None when this version of the protobufs has no such message."""
    pool = descriptor_pool.Default()
    try:
        return pool.FindMessageTypeByName(name)
    except KeyError:
        pass
    matched = _TYPE_NAME.fullmatch(name)
    if matched is None:
        return None
    try:
        package = importlib.import_module(matched[1])
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.endswith("_pb2"):
                importlib.import_module(f"{matched[1]}.{module.name}")
        return pool.FindMessageTypeByName(name)
    except (ImportError, AttributeError, KeyError):
        return None


def type_of_url(url: str) -> Descriptor | None:
    """Of a `@type`, whose last part behind the slash is the type's name."""
    return find_type(url.rpartition("/")[2]) if "/" in url else None


@lru_cache(maxsize=1024)
def message_of(apply_to: str, value: str) -> Message:
    """A patch's valid value. The message is shared: never change it."""
    message = MESSAGES[apply_to]()
    json_format.Parse(value, message, max_recursion_depth=DEEPEST)
    return message


DEEPEST: Final = 64
"""How deep a value may be nested."""
