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
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.config.legacy.convert import convert
from proa.core.config.legacy.today import is_old, read_back
from proa.core.config.mixer.catalogue import BUILT_IN, Catalogue
from proa.core.config.problem import Finding, Problem
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
    catalogue: Catalogue = BUILT_IN,
) -> Batch:
    """`files` are (name, text). Never raises; every problem of every file is found. For `only_in_force` and
    `catalogue` see `examine`: who applies leaves the first, who only reads does not."""
    found: dict[ObjectRef, Written] = {}
    problems: list[Problem] = []
    for name, text in files:
        parsed = parse(text, name)
        problems += parsed.problems
        for document in parsed.documents:
            examined = examine(document, default_namespace, only_in_force=only_in_force, catalogue=catalogue)
            problems += examined.problems
            if examined.config is None:
                continue
            ref = examined.config.ref
            earlier = found.pop(ref, None)
            if earlier is not None:
                problems.append(_written_twice(ref, document, earlier.document))
            found[ref] = Written(config=examined.config, document=document)
    problems += _of_conversion(found)
    problems += _of_delegates(found)
    return Batch(objects=tuple(found.values()), problems=tuple(sorted(set(problems))))


def _of_conversion(found: Mapping[ObjectRef, Written]) -> Iterator[Problem]:
    """What old objects, and those of Gateway API, do not go together, each of which may be fine by itself."""
    old = [written.config for written in found.values() if is_old(written.config)]
    for ref, finding in read_back(convert(old)).findings:
        yield found[ref].document.placed(finding)
    api = [written.config for written in found.values() if is_api(written.config)]
    for ref, finding in read_derived(derive(api)).findings if api else ():
        yield found[ref].document.placed(finding)


def _of_delegates(found: Mapping[ObjectRef, Written]) -> Iterator[Problem]:
    """v1alpha3 began without delegates: there a VirtualService without hosts is a slip, unless one that is taken
    together with it hands on to it."""
    rules = {ref: each.config for ref, each in found.items() if isinstance(each.config.spec, VirtualService)}
    named = {
        (rule.delegate.name, rule.delegate.namespace or ref.namespace)
        for ref, config in rules.items()
        if isinstance(config.spec, VirtualService)
        for rule in config.spec.http
        if rule.delegate is not None
    }
    for ref, config in rules.items():
        is_early = config.api_version.endswith("/v1alpha3")
        if is_early and isinstance(config.spec, VirtualService) and not config.spec.hosts:
            if (ref.name, ref.namespace) not in named:
                message = "a VirtualService of v1alpha3 needs hosts; a delegate goes along with its root, or is of v1"
                yield found[ref].document.placed(Finding(("spec", "hosts"), "required", message))


def _written_twice(ref: ObjectRef, document: Document, earlier: Document) -> Problem:
    where = f"{earlier.file}:{earlier.line}"
    place = (document.file, document.line, "metadata.name", "duplicate-object")
    return Problem(*place, f"this {ref} takes the place of the one at {where}; keep one of them", "warning")
