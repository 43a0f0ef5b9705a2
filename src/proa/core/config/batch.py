"""Several files taken together, as one apply takes them.

Of an object that is written twice, in two files or in one, the later counts, as when they are applied one after the
other; a warning says so, for it may be a slip. `proa validate` and the control plane both read
through here, so that what is fine in an editor is fine in the mesh.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from proa.core.config.config import Config, examine
from proa.core.config.document import Document, parse
from proa.core.config.gateway_api.derive import derive
from proa.core.config.gateway_api.today import is_api, read_derived
from proa.core.config.legacy.convert import convert
from proa.core.config.legacy.today import is_old, read_back
from proa.core.config.problem import Problem
from proa.core.model.names import DEFAULT_NAMESPACE, ObjectRef


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A valid object and the document it was written in."""

    config: Config
    document: Document


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """`objects` in the order of the files, one per name; `problems` of all files, warnings too, sorted by place."""

    objects: tuple[Written, ...]
    problems: tuple[Problem, ...]

    @property
    def is_valid(self) -> bool:
        return all(problem.severity != "error" for problem in self.problems)


def read_batch(
    files: Iterable[tuple[str, str]],
    default_namespace: str = DEFAULT_NAMESPACE,
    *,
    only_in_force: bool = True,
) -> Batch:
    """`files` are (name, text). Never raises; every problem of every file is found. For `only_in_force` see
    `examine`: who applies leaves it, who only reads does not."""
    found: dict[ObjectRef, Written] = {}
    problems: list[Problem] = []
    for name, text in files:
        parsed = parse(text, name)
        problems += parsed.problems
        for document in parsed.documents:
            examined = examine(document, default_namespace, only_in_force=only_in_force)
            problems += examined.problems
            if examined.config is None:
                continue
            ref = examined.config.ref
            earlier = found.pop(ref, None)
            if earlier is not None:
                problems.append(_written_twice(ref, document, earlier.document))
            found[ref] = Written(config=examined.config, document=document)
    problems += _of_conversion(found)
    return Batch(objects=tuple(found.values()), problems=tuple(sorted(set(problems))))


def _of_conversion(found: Mapping[ObjectRef, Written]) -> Iterator[Problem]:
    """What old objects, and those of Gateway API, do not go together, each of which may be fine by itself."""
    old = [written.config for written in found.values() if is_old(written.config)]
    for ref, finding in read_back(convert(old)).findings:
        yield found[ref].document.placed(finding)
    api = [written.config for written in found.values() if is_api(written.config)]
    for ref, finding in read_derived(derive(api)).findings if api else ():
        yield found[ref].document.placed(finding)


def _written_twice(ref: ObjectRef, document: Document, earlier: Document) -> Problem:
    where = f"{earlier.file}:{earlier.line}"
    place = (document.file, document.line, "metadata.name", "duplicate-object")
    return Problem(*place, f"this {ref} takes the place of the one at {where}; keep one of them", "warning")
