"""The agent's table for one workload: what comes from above goes below unchanged, what the Envoy says goes up."""

from collections.abc import Iterable

import msgspec

from proa.core.pilot.resource import Resource
from proa.core.pilot.xds.actions import Acked, Rejected, Subscribed


class Up(msgspec.Struct, frozen=True, kw_only=True):
    """Write these bytes, one DeltaDiscoveryRequest, to the control plane."""

    body: bytes


class Down(msgspec.Struct, frozen=True, kw_only=True):
    """Write these bytes, one DeltaDiscoveryResponse, to the Envoy."""

    body: bytes


class CloseUp(msgspec.Struct, frozen=True, kw_only=True):
    """The control plane broke the protocol: end that stream; `up_lost` was done."""

    reason: str


class CloseDown(msgspec.Struct, frozen=True, kw_only=True):
    """The Envoy broke the protocol: end that stream; `down_lost` was done."""

    reason: str


RelayAction = Up | Down | CloseUp | CloseDown | Subscribed | Acked | Rejected
RelayActions = tuple[RelayAction, ...]


class RelayTable:
    """One per workload. Owner: the agent's task for that workload. `Subscribed`, `Acked` and `Rejected` tell what
    the Envoy below did; after an `Acked` that is not of a SECRET the table (`stored()`) is worth writing to disk."""

    def __init__(self, *, node: bytes = b"", stored: Iterable[Resource] = ()) -> None:
        """`node`: serialised Node for the control plane; `stored`: the table of an earlier run, taken as ACKed."""
        raise NotImplementedError

    def up_connected(self) -> RelayActions:
        """A stream to the control plane opened: subscriptions and known versions go up."""
        raise NotImplementedError

    def up_received(self, response: bytes) -> RelayActions:
        raise NotImplementedError

    def up_lost(self) -> RelayActions:
        """The Envoy keeps being served from the table."""
        raise NotImplementedError

    def down_connected(self) -> RelayActions:
        """The Envoy opened a stream; an earlier one is forgotten."""
        raise NotImplementedError

    def down_received(self, request: bytes) -> RelayActions:
        raise NotImplementedError

    def down_lost(self) -> RelayActions:
        raise NotImplementedError

    def set_local(self, resource: Resource) -> RelayActions:
        """The agent's own resource (a SECRET): offered below, never sent up."""
        raise NotImplementedError

    def drop_local(self, resource: Resource) -> RelayActions:
        raise NotImplementedError

    def stored(self) -> tuple[Resource, ...]:
        """What the Envoy last accepted, without local resources."""
        raise NotImplementedError
