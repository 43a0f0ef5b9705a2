"""The part of `metadata` that means something to Proa, and how it is read. Called by `config` alone.

What else Kubernetes writes into metadata is accepted and ignored, so that `kubectl get -o yaml` can be applied.
"""

from collections.abc import Iterator

import msgspec
from immutables import Map

from proa.core.config.fields import shape_of, unknown_field
from proa.core.config.labels import check_labels, is_label_key, is_namespace_name, is_object_name
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.record import Record
from proa.core.config.tree import Json, shorten, type_name

IGNORED = frozenset(
    [
        "clusterName",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    ]
)


MEANT = frozenset(
    [
        "istio.io/dry-run",
        "proa.dev/concurrency",
        "proa.dev/deadline",
        "proa.dev/dry-run",
        "proa.dev/failure-policy",
        "proa.dev/limit",
    ]
)
"""Annotations that change what an object does. Those of ours are Mixer's: `mixer.annotations`."""


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """An object's name in its namespace; labels and annotations as written."""

    name: str
    namespace: str
    labels: Map[str, str] = Map()
    annotations: Map[str, str] = Map()


class _Written(Record, frozen=True, kw_only=True):
    name: str
    namespace: str = ""
    labels: Map[str, str] = Map()
    annotations: Map[str, str] = Map()


def read_meta(value: Json, default_namespace: str, found: list[Finding]) -> Meta:
    """Always answers; what is wrong is in `found`, and then the answer must not be used."""
    at: Path = ("metadata",)
    shape = shape_of(_Written)
    if not isinstance(value, dict):
        if value is None:
            found.append(
                Finding((*at, "name"), "required", "an object needs a name; add metadata with a name")
            )
        else:
            found.append(Finding(at, "wrong-type", f"expected an object, found {type_name(value)}"))
        return Meta(name="", namespace=default_namespace)
    known = {name: content for name, content in value.items() if name in shape.fields}
    found.extend(
        unknown_field((*at, name), name, shape.fields) for name in value if name not in {*known, *IGNORED}
    )
    written = shape.read(known, at, found)
    assert isinstance(written, _Written)
    meta = Meta(
        name=written.name,
        namespace=written.namespace or default_namespace,
        labels=written.labels,
        annotations=written.annotations,
    )
    found.extend(_check(meta, at))
    return meta


def _check(meta: Meta, at: Path) -> Iterator[Finding]:
    if meta.name and not is_object_name(meta.name):
        message = "is no object name; write lower-case letters, digits, inner dashes and dots, at most 253"
        yield Finding((*at, "name"), "bad-value", f'"{shorten(meta.name)}" {message}')
    if not is_namespace_name(meta.namespace):
        message = "is no namespace; write lower-case letters, digits and inner dashes, at most 63"
        yield Finding((*at, "namespace"), "bad-value", f'"{shorten(meta.namespace)}" {message}')
    yield from check_labels(meta.labels, (*at, "labels"))
    for key in meta.annotations:
        if not is_label_key(key):
            message = "is no annotation key; write letters, digits, - _ . (at most 63), or prefix/name"
            yield Finding((*at, "annotations", key), "bad-value", f'"{shorten(key)}" {message}')
