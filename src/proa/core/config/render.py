"""A Config back to the manifest a user could have written, and manifests to YAML. For `get -o yaml` and `diff`.

The manifest is normal: fields in the schema's order, maps by key, defaults left out, durations in one spelling. So
equal Configs give equal text, and loading the text again gives an equal digest. Text is quoted wherever YAML 1.1 or
1.2 would read it as something else.
"""

from collections.abc import Mapping
from typing import cast

import yaml
from yaml.nodes import ScalarNode

from proa.core.config.config import Config
from proa.core.config.fields import shape_of
from proa.core.config.tree import Json, resolve_plain


def to_manifest(config: Config) -> dict[str, Json]:
    """apiVersion, kind, metadata, spec; as plain values."""
    meta = config.meta
    metadata: dict[str, Json] = {"name": meta.name, "namespace": meta.namespace}
    for name, pairs in (("labels", meta.labels), ("annotations", meta.annotations)):
        if pairs:
            metadata[name] = {key: pairs[key] for key in sorted(pairs)}
    spec = shape_of(type(config.spec)).write(config.spec)
    return {"apiVersion": config.api_version, "kind": config.kind, "metadata": metadata, "spec": spec}


def to_yaml(*manifests: Mapping[str, Json]) -> str:
    """One YAML document for each, separated by `---`."""
    return "---\n".join(_dump(manifest) for manifest in manifests)


def _dump(manifest: Mapping[str, Json]) -> str:
    text: object = yaml.dump(
        dict(manifest),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_NO_FOLDING,
    )
    return cast(str, text)


# A folded line would show up in diffs far from the word that changed.
_NO_FOLDING = 1_000_000


class _Dumper(yaml.CSafeDumper):
    """Quotes what our own reader would not read back as text; writes repeated values out, without aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_text(self, data: str) -> ScalarNode:
        is_plain = isinstance(resolve_plain(data), str) and data != "<<"
        style = "|" if "\n" in data else None if is_plain else "'"
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)
