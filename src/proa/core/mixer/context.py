"""What Pilot has a filter say with each of its questions to Mixer, beside the request: the call's metadata.

A filter that asks has no other words of its own: Envoy takes `context_extensions` from routes alone.
"""

from collections.abc import Mapping
from typing import Final

from proa.core.config.mixer.annotations import FailurePolicy

PORT: Final = "port"
"""The service port at which the request came in."""
ON_FAILURE: Final = "on_failure"
"""`closed` or `open`, the rules that are meant."""
PEER: Final = "peer"
NO_PEER: Final = "none"
"""Of PEER: whatever certificate was shown there, it is not the mesh's."""

_PREFIX: Final = "proa-"


def written_context(port: int, policy: FailurePolicy, *, has_peer: bool) -> tuple[tuple[str, str], ...]:
    """As metadata of the calls, in order."""
    said = {PORT: str(port), ON_FAILURE: policy, **({} if has_peer else {PEER: NO_PEER})}
    return tuple((_PREFIX + name.replace("_", "-"), value) for name, value in said.items())


def read_context(metadata: Mapping[str, str]) -> dict[str, str]:
    """What of a call's metadata is context, under its own names."""
    return {
        name: metadata[written]
        for name in (PORT, ON_FAILURE, PEER)
        if (written := _PREFIX + name.replace("_", "-")) in metadata
    }
