"""Which workload a word of the user means."""

from collections.abc import Iterable

from proa.cli.surroundings import Failure
from proa.core.model.names import WorkloadId
from proa.core.sidecar.local import find_workload


def one_workload(word: str, known: Iterable[WorkloadId]) -> WorkloadId:
    """The id or name itself, else what starts so. Raises Failure for none and for several."""
    ids = tuple(sorted(known))
    found = find_workload(word, tuple((each, ()) for each in ids))
    if not found:
        listed = ", ".join(str(each) for each in ids[:8]) or "none"
        raise Failure(
            f"there is no workload {word}", f"known here: {listed}{', ...' if len(ids) > 8 else ''}"
        )
    if len(found) > 1:
        raise Failure(
            f"{word} may be any of {', '.join(str(each) for each in found)}", "write one of them in full"
        )
    return found[0]
