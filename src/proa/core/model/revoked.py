"""Certificates that are refused though they have not ended, as every sidecar is told them."""

import msgspec


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """Sorted. `serials` are lower-case hex without leading zeros, `identities` SPIFFE ids, `names` DNS
    names of workloads.

    `since` is the time (unix milliseconds) of the newest revocation that ever was: it grows when something is
    added, and stays when something ends. Connections that were open before it are to be ended.
    """

    serials: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    since: int = 0
