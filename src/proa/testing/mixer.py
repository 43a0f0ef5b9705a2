"""Mixer's objects in few words: for tests of plans, and of adapters by those who write them."""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from immutables import Map

from proa.core.config.config import Config, examine
from proa.core.config.document import parse
from proa.core.config.mixer.catalogue import BUILT_IN, Catalogue


def mixer_config(
    kind: str,
    name: str,
    spec: object,
    namespace: str = "default",
    annotations: Mapping[str, str] | None = None,
    catalogue: Catalogue = BUILT_IN,
) -> Config:
    """A valid object of config.istio.io, or Proa's MixerRule; an AssertionError with its problems when it is not."""
    metadata = {"name": name, "namespace": namespace, "annotations": dict(annotations or {})}
    version = "proa.dev/v1alpha1" if kind == "MixerRule" else "config.istio.io/v1alpha2"
    value = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    (document,) = parse(msgspec.json.encode(value).decode(), f"{name}.yaml").documents
    examined = examine(document, only_in_force=False, catalogue=catalogue)
    assert examined.config is not None, "\n".join(map(str, examined.problems))
    return examined.config


def rule(
    name: str,
    handler: str,
    *instances: str,
    match: str = "",
    namespace: str = "default",
    annotations: Mapping[str, str] | None = None,
    kind: Literal["rule", "MixerRule"] = "rule",
) -> Config:
    """One with a single action."""
    spec = {"match": match, "actions": [{"handler": handler, "instances": list(instances)}]}
    return mixer_config(kind, name, spec, namespace, annotations)


def all_run(catalogue: Catalogue = BUILT_IN, names: Iterable[str] | None = None) -> Catalogue:
    """The same adapters, as if they all ran here, or those that are named."""
    chosen = set(catalogue.adapters if names is None else names)
    return Catalogue(
        Map(
            {
                name: msgspec.structs.replace(kind, missing="") if name in chosen else kind
                for name, kind in catalogue.adapters.items()
            }
        )
    )
