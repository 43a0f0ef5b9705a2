"""An object of today in the making: a raw tree, and for each of its places the place of the old object it comes from.

The conversion builds with these; whoever finds a fault in what was built asks `Derived.origin` whom to tell.
"""

import msgspec

from proa.core.config.fields import shape_of
from proa.core.config.path import Path
from proa.core.config.record import Record
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef

SPEC: Path = ("spec",)
API_VERSION = "networking.istio.io/v1alpha3"
"""The oldest version that has today's kinds: every Istio since 2018 and every Proa reads it."""


class Place(msgspec.Struct, frozen=True):
    """What stands at `path` (from the object's root) and below comes from `old` of the object `source`."""

    path: Path
    source: ObjectRef
    old: Path


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """An object of today, made of old ones. `sources` has the most important one first."""

    kind: str
    namespace: str
    name: str
    spec: dict[str, Json]
    sources: tuple[ObjectRef, ...]
    places: tuple[Place, ...]
    api_version: str = API_VERSION

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(self.kind, self.namespace, self.name)

    @property
    def row(self) -> tuple[str, str]:
        """Where its kind stands in the kinds table."""
        return self.api_version.rpartition("/")[0], self.kind

    @property
    def manifest(self) -> dict[str, Json]:
        metadata: dict[str, Json] = {"name": self.name, "namespace": self.namespace}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata, "spec": self.spec}

    def origin(self, path: Path) -> tuple[ObjectRef, Path]:
        """The old object and the place in it that a place of this object comes from."""
        near = [each for each in self.places if path[: len(each.path)] == each.path]
        best = max(near, key=lambda each: len(each.path), default=None)
        return (best.source, best.old) if best else (self.sources[0], SPEC)


class Draft:
    """A tree that grows. Mutable, and never leaves the function that began it."""

    def __init__(self, source: ObjectRef) -> None:
        self.source = source
        self.value: dict[str, Json] = {}
        self.places: list[Place] = []

    def put(self, at: Path, value: Json, old: Path) -> None:
        """Set what stands at a path of names, and remember where it comes from."""
        inner = self.value
        for step in at[:-1]:
            inside = inner.setdefault(str(step), {})
            assert isinstance(inside, dict)
            inner = inside
        inner[str(at[-1])] = value
        self.note(at, old)

    def note(self, at: Path, old: Path) -> None:
        self.places.append(Place(at, self.source, old))

    def below(self, at: Path) -> list[Place]:
        """Its places, as those of a tree in which it stands at `at`."""
        return [Place((*at, *each.path), each.source, each.old) for each in self.places]


def raw(record: Record) -> Json:
    """A struct as users write it."""
    return shape_of(type(record)).write(record)


def duration(milliseconds: int) -> str:
    """`180.000s`, as the converter of 2018 writes it."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}s"
