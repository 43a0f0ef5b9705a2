"""A document to a valid Config or to all its Problems. A Config that exists is valid.

Called by sources of configuration and by the CLI. Nothing here knows a kind's fields: the table does.
"""

import msgspec

from proa.core.config.document import Document, parse
from proa.core.config.fields import unknown_field
from proa.core.config.kinds import KINDS, OLD, AnyKind, Spec, handlers_of, is_not_yet
from proa.core.config.locality import distribution_of
from proa.core.config.meta import MEANT, Meta, read_meta
from proa.core.config.mixer.catalogue import BUILT_IN, Catalogue
from proa.core.config.mixer.compiled import compiled_faults, missing_adapter
from proa.core.config.near_names import suggestion
from proa.core.config.problem import Finding, Problem, warning
from proa.core.config.tree import Json, shorten, type_name
from proa.core.model.digest import digest_of
from proa.core.model.names import DEFAULT_NAMESPACE, ObjectRef, object_kind

_TOP_LEVEL = {"apiVersion": "", "kind": "", "metadata": "", "spec": ""}
# What a cluster adds to an object on the way out.
_IGNORED = frozenset(["status"])


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """`digest` covers kind, name, namespace, labels, spec and what an annotation means to the model; never lines, other
    annotations or the API version. `created` is since when it is there, in seconds: of several for one thing the oldest
    counts. 0 where nobody knows (files have no age): such objects come first, by their names."""

    api_version: str
    kind: str
    meta: Meta
    spec: Spec
    digest: str
    created: float = 0.0

    @property
    def age(self) -> tuple[float, ObjectRef]:
        """The older one's is less."""
        return self.created, self.ref

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(object_kind(self.api_version, self.kind), self.meta.namespace, self.meta.name)


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """`config` is None exactly when a problem is an error; warnings may stand beside a Config."""

    config: Config | None
    problems: tuple[Problem, ...]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """All of one text. `problems` has those of its syntax, of its documents and the warnings, in order of lines."""

    configs: tuple[Config, ...]
    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")


def load(
    document: Document, default_namespace: str = DEFAULT_NAMESPACE, *, catalogue: Catalogue = BUILT_IN
) -> Config | tuple[Problem, ...]:
    """The Config, or every problem of the document. Never raises. For warnings beside a Config see `examine`."""
    examined = examine(document, default_namespace, catalogue=catalogue)
    return examined.problems if examined.config is None else examined.config


def load_all(text: str, file: str, default_namespace: str = DEFAULT_NAMESPACE) -> Loaded:
    """Every object of a text. Never raises; a bad document does not keep the others from loading."""
    parsed = parse(text, file)
    examined = [examine(document, default_namespace) for document in parsed.documents]
    problems = [*parsed.problems, *(problem for one in examined for problem in one.problems)]
    return Loaded(
        configs=tuple(one.config for one in examined if one.config is not None),
        documents=parsed.documents,
        problems=tuple(sorted(problems)),
    )


def examine(
    document: Document,
    default_namespace: str = DEFAULT_NAMESPACE,
    *,
    only_in_force: bool = True,
    catalogue: Catalogue = BUILT_IN,
) -> Examined:
    """As `load`, with the warnings too. A kind that nothing acts on is an error unless the caller only reads.
    `catalogue` has Mixer's adapters, those that are installed beside ours among them."""
    found: list[Finding] = []
    value = document.value
    kind = _find_kind(value, found, catalogue)
    found.extend(
        unknown_field((name,), name, _TOP_LEVEL)
        for name in value
        if name not in _TOP_LEVEL and name not in _IGNORED
    )
    meta = read_meta(value.get("metadata"), default_namespace, found)
    spec = kind.read(value.get("spec"), meta, found) if kind else None
    found.extend(compiled_faults(spec, catalogue))
    missing = missing_adapter(spec, catalogue)
    if kind is not None and (missing or not kind.in_force):
        found.append(_not_in_force(kind.kind, kind.why_not or missing, only_in_force))
    problems = tuple(sorted({*document.problems, *(document.placed(finding) for finding in found)}))
    if kind is None or spec is None or any(problem.severity == "error" for problem in problems):
        return Examined(config=None, problems=problems)
    config = Config(
        api_version=str(value["apiVersion"]),
        kind=kind.kind,
        meta=meta,
        spec=spec,
        digest=digest_of((kind.kind, meta.namespace, meta.name, meta.labels, spec, *_meant(meta))),
    )
    return Examined(config=config, problems=problems)


def _meant(meta: Meta) -> tuple[str, ...]:
    """Nothing for most: their digests are as they were before annotations meant anything."""
    distribution = distribution_of(meta.annotations)
    meant = sorted(f"{key}={value}" for key, value in meta.annotations.items() if key in MEANT)
    return (*((distribution,) if distribution else ()), *meant)


def _find_kind(value: dict[str, Json], found: list[Finding], catalogue: Catalogue) -> AnyKind | None:
    """The row of the table, or findings that say why there is none."""
    words = {name: value.get(name) for name in ("apiVersion", "kind")}
    for name, word in words.items():
        if word is None or word == "":
            found.append(Finding((name,), "required", f"an object needs {name}; add it"))
        elif not isinstance(word, str):
            found.append(Finding((name,), "wrong-type", f"expected text, found {type_name(word)}"))
    api_version, kind = words["apiVersion"], words["kind"]
    if not (isinstance(api_version, str) and isinstance(kind, str) and api_version and kind):
        return None
    group, _, version = api_version.rpartition("/")
    row = KINDS.get((group, kind))
    if group == OLD and (adapter := catalogue.find(kind)) and adapter != BUILT_IN.find(kind):
        row = handlers_of(adapter)
    if row is None:
        found.append(_unknown_kind(group, api_version, kind))
    elif version not in row.versions:
        served = ", ".join(f"{row.group}/{known}" for known in row.versions)
        message = f'{kind} has no version "{shorten(version)}"; write one of {served}'
        found.append(Finding(("apiVersion",), "unknown-version", message))
    return row


def _not_in_force(kind: str, why: str, only_in_force: bool) -> Finding:
    if only_in_force:
        reason = why or "it is read and checked, and nothing acts on it"
        message = f"{kind} is not supported yet: {reason}; remove the object"
        return Finding(("kind",), "kind-not-supported-yet", message)
    reason = why or "Proa does not act on it yet"
    return warning(("kind",), "read-only-kind", f"{kind} is read and checked; {reason}")


def _unknown_kind(group: str, api_version: str, kind: str) -> Finding:
    if is_not_yet(group, kind):
        message = f"{kind} of {shorten(api_version)} is not supported yet; remove the object"
        return Finding(("kind",), "kind-not-supported-yet", message)
    kinds: dict[str, AnyKind] = {}
    for each in KINDS.values():
        if each.group != OLD or each.in_force:
            kinds.setdefault(each.kind, each)
    if kind in kinds:
        row = kinds[kind]
        message = f'{kind} is not of the group "{shorten(group)}"; write {row.group}/{row.versions[0]}'
        return Finding(("apiVersion",), "unknown-version", message)
    served = (row.kind for row in KINDS.values() if row.in_force)
    hint = suggestion(kind, kinds) or f"; the kinds are {', '.join(served)}"
    return Finding(
        ("kind",), "unknown-kind", f'there is no kind "{shorten(kind)}" in {shorten(api_version)}{hint}'
    )
