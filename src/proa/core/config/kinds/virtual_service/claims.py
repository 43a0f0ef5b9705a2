"""How a rule names a claim of a token among its header conditions: `@request.auth.claims.group.id`, dots between the
steps down, or `@request.auth.claims[group][id]`, where a step may have dots itself.

This kind's validator reads it, and translation.
"""

import re
from typing import Final

CLAIMS: Final = "@request.auth.claims"
_IN_BRACKETS: Final = re.compile(r"(?:\[[^\[\]]+\])+")


def is_claim(name: str) -> bool:
    return name.startswith(CLAIMS)


def claim_path(name: str) -> tuple[str, ...] | None:
    """The steps down to the claim; None when it is spelled wrong."""
    rest = name.removeprefix(CLAIMS)
    if rest.startswith("."):
        steps = tuple(rest[1:].split("."))
        return steps if all(steps) and not set(rest) & set("[]") else None
    if _IN_BRACKETS.fullmatch(rest):
        return tuple(rest[1:-1].split("]["))
    return None
