"""Which object a rule means by `name`, `name.kind`, `name.namespace` or `name.kind.namespace`. Plans and checks ask.

As Mixer resolved them, with one step more: what the rule's own namespace has not is looked for in the root namespace,
where operators keep the handlers that all may use.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from proa.core.config.near_names import suggestion
from proa.core.config.tree import shorten
from proa.core.model.names import ROOT_NAMESPACE, ObjectRef


def canonical(ref: ObjectRef) -> str:
    """The whole name: `requestcount.quota.istio-system`."""
    return f"{ref.name}.{ref.kind}.{ref.namespace}"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """All handlers, or all instances. `newer` is the kind that may be left out: `handler`, `instance`."""

    newer: str
    whole: Mapping[str, ObjectRef]
    by_name: Mapping[tuple[str, str], tuple[ObjectRef, ...]]
    """By name and namespace."""

    def find(self, text: str, namespace: str, root: str = ROOT_NAMESPACE) -> ObjectRef | None:
        return next((ref for ref in self._meant(text, namespace, root) if ref is not None), None)

    def _meant(self, text: str, namespace: str, root: str) -> Iterator[ObjectRef | None]:
        """In the order in which they are tried."""
        parts = text.split(".")
        if len(parts) == 3:
            yield self.whole.get(text)
        elif len(parts) == 2:
            name, second = parts
            yield self.whole.get(f"{name}.{second}.{namespace}")
            yield self.whole.get(f"{name}.{self.newer}.{second}")
            yield self.whole.get(f"{name}.{second}.{root}")
        elif len(parts) == 1:
            for place in (namespace, root):
                yield self.whole.get(f"{text}.{self.newer}.{place}")
                yield self._only(text, place)

    def _only(self, name: str, namespace: str) -> ObjectRef | None:
        """Of the old style, if just one kind has the name there."""
        found = self.by_name.get((name, namespace), ())
        return found[0] if len(found) == 1 else None

    def missing(self, text: str, what: str) -> str:
        """What to tell somebody who names nothing."""
        near = suggestion(text, self.whole)
        return f'there is no {what} "{shorten(text)}"{near or "; write name.kind.namespace of one that is there"}'


def table_of(newer: str, refs: Iterable[ObjectRef]) -> Table:
    by_name: dict[tuple[str, str], tuple[ObjectRef, ...]] = {}
    whole: dict[str, ObjectRef] = {}
    for ref in sorted(refs):
        whole[canonical(ref)] = ref
        by_name[ref.name, ref.namespace] = (*by_name.get((ref.name, ref.namespace), ()), ref)
    return Table(newer=newer, whole=whole, by_name=by_name)
