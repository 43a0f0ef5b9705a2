"""One row of the kinds table: how objects of a kind are named, read and judged. `config` calls `read`."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

from proa.core.config.fields import shape_of
from proa.core.config.meta import Meta
from proa.core.config.path import is_under
from proa.core.config.problem import Finding
from proa.core.config.record import Record
from proa.core.config.tree import Json
from proa.core.model.names import object_kind

S = TypeVar("S", bound=Record)


class Kind(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """`versions` has the preferred one first. `validate` gets a well-typed spec and tells what it means wrongly.

    A kind that is not `in_force` is read and checked, and nothing acts on it: whoever puts objects into force must
    refuse it; `why_not` is the reason when it is no matter of time. `spec_may_be_absent`: an object without a spec is
    one with an empty spec."""

    group: str
    kind: str
    versions: tuple[str, ...]
    plural: str
    short_names: tuple[str, ...]
    spec: type[S]
    validate: Callable[[S, Meta], Iterator[Finding]]
    in_force: bool = True
    why_not: str = ""
    spec_may_be_absent: bool = False

    def read(self, value: Json, meta: Meta, found: list[Finding]) -> S:
        """The spec; with an error in `found` it must not be used."""
        at = ("spec",)
        shape = shape_of(self.spec)
        if value is None and self.spec_may_be_absent:
            value = {}
        if value is None:
            found.append(Finding(at, "required", "an object needs a spec; add it"))
            spec = shape.blank
        else:
            before = len(found)
            spec = shape.read(value, at, found)
            unread = found[before:]
        assert isinstance(spec, self.spec)
        if value is not None:
            found.extend(meant for meant in self.validate(spec, meta) if not follows(meant, unread))
        return spec

    @property
    def object_kind(self) -> str:
        """What objects of it are called in their names."""
        return object_kind(f"{self.group}/", self.kind)

    def names(self) -> tuple[str, ...]:
        """Every word a user may call the kind by, in lower case."""
        return (self.kind.lower(), self.plural, *self.short_names)


def follows(meant: Finding, unread: list[Finding]) -> bool:
    """True when the finding is about a place that could not be read: it would judge a blank of ours."""
    return any(is_under(bad.path, meant.path) or is_under(meant.path, bad.path) for bad in unread)
