"""An object made valid by taking out what is wrong in it, problem by problem.

What was drawn is nearly valid; its Problems say where it is not. So no draw is thrown away, which would make
hypothesis slow, and what strategies know of a kind's rules need not be all that its validator knows.
"""

from typing import Final

import msgspec

from proa.core.config import AnyKind, Json
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding

MOST_STEPS: Final = 20


def mended(row: AnyKind, spec: Json, meta: Meta) -> Json:
    """The spec without what is wrong in it; None (which no spec is) when nothing is left."""
    left: Json = spec
    for _ in range(MOST_STEPS):
        found: list[Finding] = []
        row.read(left, meta, found)
        errors = [finding for finding in found if finding.severity == "error"]
        if not errors:
            return left
        # The deepest first: what is around it may be fine without it.
        worst = max(errors, key=lambda finding: len(finding.path))
        # Of what is missing the owner goes, of what conflicts the thing itself.
        path = (
            worst.path[1:-1]
            if worst.code == "required" and _is_absent(left, worst.path[1:])
            else worst.path[1:]
        )
        if not path:
            return None
        left = _pruned(left, path)
    return None


def _is_absent(tree: Json, path: Path) -> bool:
    here: Json = tree
    for step in path:
        if isinstance(here, dict) and step in here:
            here = here[str(step)]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        else:
            return True
    return here in ("", [], {}, None)


def _pruned(tree: Json, path: Path) -> Json:
    """Without what is at the path, or without its nearest owner that is there."""
    copy: Json = msgspec.json.decode(msgspec.json.encode(tree))
    owners: list[tuple[dict[str, Json] | list[Json], str | int]] = []
    here: Json = copy
    for step in path:
        if isinstance(here, dict) and str(step) in here:
            owners.append((here, str(step)))
            here = here[str(step)]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            owners.append((here, step))
            here = here[step]
        else:
            break
    if not owners:
        return None
    owner, last = owners[-1]
    if isinstance(owner, dict):
        del owner[str(last)]
    elif isinstance(last, int):
        del owner[last]
    return copy
