"""Derived objects as Configs of today, and what goes wrong on the way told of the old objects.

Callers: `batch` (files), and the owner of a live mesh's configuration.
"""

import msgspec

from proa.core.config.config import Config
from proa.core.config.kinds import KINDS
from proa.core.config.legacy.convert import OLD_SPECS, Converted
from proa.core.config.legacy.draft import Derived
from proa.core.config.meta import Meta
from proa.core.config.path import path_text
from proa.core.config.problem import Finding
from proa.core.model.digest import digest_of
from proa.core.model.names import ObjectRef


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """A Config and the old objects it was made of, the most important one first."""

    config: Config
    sources: tuple[ObjectRef, ...]


class ReadBack(msgspec.Struct, frozen=True, kw_only=True):
    """`findings` are about old objects and have paths of theirs."""

    objects: tuple[Today, ...]
    findings: tuple[tuple[ObjectRef, Finding], ...]


def is_old(config: Config) -> bool:
    """Whether it must be converted before anything can come of it."""
    return isinstance(config.spec, OLD_SPECS)


def read_back(converted: Converted) -> ReadBack:
    """An object that today's kinds refuse is left out. Objects that are fine by themselves do not come to that
    together, but a rule of ours may be wrong, and then it is told and not raised."""
    objects: list[Today] = []
    findings = list(converted.findings)
    for derived in converted.derived:
        read = _read(derived)
        if isinstance(read, Config):
            objects.append(Today(config=read, sources=derived.sources))
        else:
            findings += read
    return ReadBack(objects=tuple(objects), findings=tuple(dict.fromkeys(findings)))


def _read(derived: Derived) -> Config | list[tuple[ObjectRef, Finding]]:
    kind = KINDS[derived.row]
    found: list[Finding] = []
    meta = Meta(name=derived.name, namespace=derived.namespace)
    spec = kind.read(derived.spec, meta, found)
    errors = [finding for finding in found if finding.severity == "error"]
    if not errors:
        digest = digest_of((derived.kind, meta.namespace, meta.name, meta.labels, spec))
        return Config(api_version=derived.api_version, kind=derived.kind, meta=meta, spec=spec, digest=digest)
    told: list[tuple[ObjectRef, Finding]] = []
    for finding in errors:
        source, old = derived.origin(finding.path)
        where = f"{derived.kind} {path_text(finding.path)}"
        told.append((source, Finding(old, finding.code, f"{finding.message} (it becomes {where})")))
    return told
