"""Envoy's config_dump, narrowed and without secrets. Pure: JSON trees in, JSON trees out."""

from typing import Final

from proa.core.config.tree import Json

SECTIONS: Final = {
    "cluster": "ClustersConfigDump",
    "listener": "ListenersConfigDump",
    "route": "RoutesConfigDump",
    "endpoint": "EndpointsConfigDump",
    "secret": "SecretsConfigDump",
    "extension": "EcdsConfigDump",
    "virtual-host": "RoutesConfigDump",
}
SECRET_FIELDS: Final = frozenset(
    ["private_key", "private_key_provider", "session_ticket_keys", "password", "token", "generic_secret"]
)
"""Envoy hides most of these itself; this page may be pasted into a bug report, so all are hidden here again."""

HIDDEN: Final = "[redacted]"


def choose(dump: Json, kind: str | None, name: str) -> Json:
    """The sections of `kind` (None: all), and in them the entries that mention `name` as a name."""
    sections = dump.get("configs") if isinstance(dump, dict) else None
    if not isinstance(sections, list):
        return dump
    wanted = [each for each in sections if isinstance(each, dict) and _is_of(each, kind)]
    return {"configs": [_narrowed(each, name) if name else each for each in wanted]}


def redact(tree: Json) -> Json:
    """The same tree with every private field's content replaced."""
    if isinstance(tree, dict):
        return {key: HIDDEN if key in SECRET_FIELDS else redact(value) for key, value in tree.items()}
    return [redact(each) for each in tree] if isinstance(tree, list) else tree


def _is_of(section: dict[str, Json], kind: str | None) -> bool:
    return kind is None or str(section.get("@type", "")).endswith(f".{SECTIONS[kind]}")


def _narrowed(section: dict[str, Json], name: str) -> Json:
    return {
        key: [each for each in value if _is_named(each, name)] if isinstance(value, list) else value
        for key, value in section.items()
    }


def _is_named(tree: Json, name: str) -> bool:
    """An entry wraps the resource in one or two messages (`active_state.listener`): its name is near the top."""
    if not isinstance(tree, dict):
        return False
    names = (tree.get("name"), tree.get("cluster_name"))
    return any(isinstance(each, str) and name in each for each in names) or any(
        _is_named(value, name) for value in tree.values() if isinstance(value, dict)
    )
