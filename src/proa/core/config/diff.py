"""What changes between two manifests, as people read it: a unified diff of their normal YAML. For `proa diff`."""

from collections.abc import Mapping
from difflib import unified_diff

from proa.core.config.render import to_yaml
from proa.core.config.tree import Json


def diff(old: Mapping[str, Json] | None, new: Mapping[str, Json] | None, name: str) -> str:
    """The empty text when nothing changes. None stands for an object that is not there; `name` heads the diff."""
    before, after = _lines(old), _lines(new)
    changes = unified_diff(
        before, after, name if before else "(absent)", name if after else "(absent)", lineterm=""
    )
    return "".join(f"{line}\n" for line in changes)


def _lines(manifest: Mapping[str, Json] | None) -> list[str]:
    return [] if manifest is None else to_yaml(manifest).splitlines()
