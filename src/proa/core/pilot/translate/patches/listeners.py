"""Patches of listeners and of what is in them: filter chains, network filters, HTTP filters, listener filters.

Names are Istio's as far as there is something like it: see docs/envoy-filter.md.
"""

from collections.abc import Iterator, MutableSequence
from typing import Final, TypeVar

from envoy.config.core.v3.base_pb2 import TrafficDirection
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from google.protobuf.message import Message

from proa.core.config.kinds.envoy_filter.schema import Context, FilterChainMatch, ListenerMatch
from proa.core.pilot.translate.encode import pack
from proa.core.pilot.translate.filters.names import ROUTER
from proa.core.pilot.translate.patches.patching import Applied, Patching, edit, is_named
from proa.core.pilot.translate.patches.routes import patch_inline_routes

VIRTUAL_INBOUND: Final = "virtualInbound"
_MANAGER: Final = f"type.googleapis.com/{HttpConnectionManager.DESCRIPTOR.full_name}"
_HTTP: Final = HttpFilter.DESCRIPTOR.full_name

M = TypeVar("M", bound=Message)


def patch_listener(listener: Listener, patching: Patching) -> Listener | None:
    """The listener, changed; None when it is removed."""
    inbound = listener.traffic_direction == TrafficDirection.INBOUND
    context = patching.context(inbound=inbound)
    name = listener.name
    for applied in patching.of("LISTENER", context):
        if applied.operation == "ADD" or not _is_listener(applied.match.listener, name, context):
            continue
        if applied.operation == "REMOVE":
            applied.hit()
            return None
        if applied.merges:
            applied.merge_into(listener)
    for applied in patching.of("LISTENER_FILTER", context):
        match = applied.match.listener
        if _is_listener(match, name, context):
            _edit_filters(listener.listener_filters, applied, match.listener_filter if match else "")
    _patch_chains(listener, patching, context)
    return listener


def _edit_filters(filters: MutableSequence[M], applied: Applied, wanted: str, end: int | None = None) -> None:
    def is_wanted(each: M) -> bool:
        name: str = each.name  # type: ignore[attr-defined]  # all filters have one
        # A filter whose settings come by discovery has none here to merge with.
        is_elsewhere = (
            applied.merges and each.DESCRIPTOR.full_name == _HTTP and each.HasField("config_discovery")
        )
        return is_named(wanted, name) and not is_elsewhere

    edit(filters, applied, is_wanted, says_which=bool(wanted), end=end)


def _is_listener(match: ListenerMatch | None, name: str, context: Context) -> bool:
    """Istio's one inbound listener is one for each port here: its name means all of them."""
    if match is None:
        return True
    is_inbound = context == "SIDECAR_INBOUND"
    if match.name and match.name != name and not (match.name == VIRTUAL_INBOUND and is_inbound):
        return False
    return match.port_number in (0, listener_port(name))


def listener_port(name: str) -> int:
    """The service's or the gateway server's port that a listener is for; 0 for the one of all ports."""
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _patch_chains(listener: Listener, patching: Patching, context: Context) -> None:
    chains = list(listener.filter_chains)
    kept = [chain for chain in chains if _patch_chain(chain, listener.name, patching, context)]
    if len(kept) != len(chains):
        del listener.filter_chains[:]
        listener.filter_chains.extend(kept)
    if listener.HasField("default_filter_chain"):
        if not _patch_chain(listener.default_filter_chain, listener.name, patching, context):
            listener.ClearField("default_filter_chain")
    for applied in patching.of("FILTER_CHAIN", context):
        if applied.operation == "ADD" and _is_listener(applied.match.listener, listener.name, context):
            applied.hit()
            listener.filter_chains.add().MergeFrom(applied.value)  # type: ignore[arg-type]  # read as a FilterChain


def _patch_chain(chain: FilterChain, name: str, patching: Patching, context: Context) -> bool:
    """False when it is to be removed."""
    for applied in patching.of("FILTER_CHAIN", context):
        if applied.operation == "ADD" or not _is_chain(applied, name, chain, context):
            continue
        if applied.operation == "REMOVE":
            applied.hit()
            return False
        if applied.merges:
            applied.merge_into(chain)
    for applied in patching.of("NETWORK_FILTER", context):
        if _is_chain(applied, name, chain, context):
            # The last filter of a chain takes the connection: what is added comes before.
            _edit_filters(chain.filters, applied, _filter_name(applied), max(len(chain.filters) - 1, 0))
    for each in chain.filters:
        if each.typed_config.type_url == _MANAGER:
            _patch_manager(each, chain, name, patching, context)
    return True


def _is_chain(applied: Applied, name: str, chain: FilterChain, context: Context) -> bool:
    match = applied.match.listener
    if not _is_listener(match, name, context):
        return False
    return match is None or match.filter_chain is None or _has(match.filter_chain, chain, name)


def _has(match: FilterChainMatch, chain: FilterChain, listener: str) -> bool:
    """A listener of ours is for one port, so its chains need not say which."""
    own = chain.filter_chain_match
    port = own.destination_port.value if own.HasField("destination_port") else listener_port(listener)
    protocols = [each.strip() for each in match.application_protocols.split(",") if each.strip()]
    return (
        match.name in ("", chain.name)
        and (not match.sni or match.sni in own.server_names)
        and match.transport_protocol in ("", own.transport_protocol)
        and all(each in own.application_protocols for each in protocols)
        and match.destination_port in (0, port)
        and match.transport_socket in ("", chain.transport_socket.name)
    )


def _filter_name(applied: Applied) -> str:
    match = applied.match.listener
    if match is None or match.filter_chain is None or match.filter_chain.filter is None:
        return ""
    return match.filter_chain.filter.name


def _patch_manager(each: Filter, chain: FilterChain, name: str, patching: Patching, context: Context) -> None:
    """HTTP filters, and the routes of a manager that has its own."""
    if not patching.patches.has("HTTP_FILTER", "ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"):
        return
    manager = HttpConnectionManager.FromString(each.typed_config.value)
    for applied in _http_patches(each, chain, name, patching, context):
        filters = manager.http_filters
        ends = bool(filters) and is_named(ROUTER, filters[-1].name)
        _edit_filters(filters, applied, _sub_filter(applied), len(filters) - 1 if ends else None)
    if manager.HasField("route_config"):
        patch_inline_routes(manager.route_config, patching, context)
    each.typed_config.CopyFrom(pack(manager))


def _http_patches(
    each: Filter, chain: FilterChain, name: str, patching: Patching, context: Context
) -> Iterator[Applied]:
    for applied in patching.of("HTTP_FILTER", context):
        wanted = _filter_name(applied)
        if _is_chain(applied, name, chain, context) and is_named(wanted, each.name):
            yield applied


def _sub_filter(applied: Applied) -> str:
    match = applied.match.listener
    if match is None or match.filter_chain is None or match.filter_chain.filter is None:
        return ""
    inner = match.filter_chain.filter.sub_filter
    return inner.name if inner else ""
