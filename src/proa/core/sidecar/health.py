"""From single checks to the health that is served, and what an app must not do with its sockets.

`proa.node.health` performs the checks; here stands when enough of them make a change.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from proa.core.sidecar.session import Health

_WORST: Final[dict[Health, int]] = {"UNHEALTHY": 0, "DRAINING": 1, "STARTING": 2, "HEALTHY": 3}


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """`streak` counts results in a row that speak against `state`."""

    healthy_threshold: int = 1
    unhealthy_threshold: int = 3
    state: Health = "STARTING"
    streak: int = 0


def observe(track: Track, is_well: bool) -> Track:
    """The track after one more result.

    An app that starts gets all the time it needs: failures leave STARTING as it is. DRAINING is a decision,
    no observation, and stays.
    """
    if track.state == "DRAINING" or is_well == (track.state == "HEALTHY"):
        return msgspec.structs.replace(track, streak=0)
    if track.state == "STARTING" and not is_well:
        return msgspec.structs.replace(track, streak=0)
    streak = track.streak + 1
    if streak < (track.healthy_threshold if is_well else track.unhealthy_threshold):
        return msgspec.structs.replace(track, streak=streak)
    return msgspec.structs.replace(track, state="HEALTHY" if is_well else "UNHEALTHY", streak=0)


def worst(states: Iterable[Health]) -> Health:
    """The health of a workload from those of its ports; of none, HEALTHY."""
    return min(states, key=_WORST.__getitem__, default="HEALTHY")


class Listening(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A listening TCP socket."""

    address: str
    port: int


_LISTEN: Final = "0A"


def parse_listening(table: str, inodes: frozenset[str]) -> tuple[Listening, ...]:
    """The listening sockets with those inodes in the text of /proc/net/tcp or tcp6, sorted.

    The kernel prints addresses as 32-bit words in host order (little-endian wherever Proa runs).
    """
    found = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != _LISTEN or fields[9] not in inodes:
            continue
        address, _, port = fields[1].partition(":")
        found.add(Listening(address=_address(address), port=int(port, 16)))
    return tuple(sorted(found))


def beyond_loopback(sockets: Iterable[Listening]) -> tuple[Listening, ...]:
    """Those that other hosts can reach: traffic there passes by the mesh."""
    return tuple(each for each in sockets if not _is_loopback(each.address))


def _address(words: str) -> str:
    octets = b"".join(bytes.fromhex(words[at : at + 8])[::-1] for at in range(0, len(words), 8))
    if len(octets) == 4:
        return ".".join(str(octet) for octet in octets)
    if octets[:12] == b"\0" * 10 + b"\xff\xff":
        return "::ffff:" + ".".join(str(octet) for octet in octets[12:])
    if octets == b"\0" * 16:
        return "::"
    if octets == b"\0" * 15 + b"\1":
        return "::1"
    return ":".join(octets[at : at + 2].hex() for at in range(0, 16, 2))


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.removeprefix("::ffff:").startswith("127.")
