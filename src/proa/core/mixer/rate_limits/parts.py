"""Which facts of a request a proxy has to tell, so that its charges can be reckoned far from it.

Facts are the parts of `core.mixer.verdict.shapes`: a kept verdict needs those that were read once, a charge all that
may be read. Two more identify the request itself: `i`, the proxy's number of the connection, and `m`, the moment at
which the request began. Callers choose neither.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from proa.core.expression.tracing import Reference
from proa.core.mixer.verdict.shapes import Unkept, parts_of

Reading: TypeAlias = tuple[str, str | None]
"""An attribute, or a key of one that is a map; the map alone is all of it."""

CONNECTION: Final = "i"
MOMENT: Final = "m"
ADDRESS: Final = "a"
_ALWAYS: Final = frozenset((CONNECTION, MOMENT))
_OF_MOMENT: Final = frozenset(("request.time", "context.time", "context.timestamp"))
_CLAIMS: Final = ("c:", "l:")


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """`told` in order, each once. `unknown`: what is read and no proxy can tell; to the charge it is absent."""

    told: tuple[str, ...]
    unknown: tuple[Unkept, ...] = ()


def parts_for(readings: Iterable[Reading]) -> Parts:
    told, unknown = set(_ALWAYS), set[Unkept]()
    for name, key in readings:
        if name in _OF_MOMENT:
            continue
        found = parts_of(Reference(name, key, "exact"))
        if isinstance(found, Unkept):
            unknown.add(found)
        else:
            told.update("u" if part == "t" else part for part in found)
    if any(part.startswith(_CLAIMS) for part in told):
        # A token without the claim is another thing than no token.
        told.add("j")
    return Parts(
        told=tuple(sorted(told)),
        unknown=tuple(sorted(unknown, key=lambda each: (each.attribute, each.reason))),
    )
