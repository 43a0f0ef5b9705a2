"""Old objects from YAML, for the tests of their conversion."""

from proa.core.config import Config, load_all
from proa.core.config.legacy.convert import convert
from proa.core.config.legacy.draft import Derived


def old(text: str) -> list[Config]:
    loaded = load_all(text, "old.yaml")
    assert not loaded.errors, loaded.errors
    return list(loaded.configs)


def rule(name: str, spec: str, namespace: str = "default", kind: str = "RouteRule") -> str:
    meta = f"{{name: {name}, namespace: {namespace}}}"
    return f"---\napiVersion: config.istio.io/v1alpha2\nkind: {kind}\nmetadata: {meta}\nspec: {spec}\n"


def converted(text: str) -> dict[str, Derived]:
    """By `Kind/namespace/name`."""
    return {str(each.ref): each for each in convert(old(text)).derived}
