"""Where in an object a thing stands: a tuple of keys and indexes, and how it is printed.

A path is written as Istio writes it: `spec.http[0].route[1].weight`. A key that is a plain word follows a dot, an
index stands in brackets, and any other key (it has a dash, a dot or a slash, or starts with a digit) stands in
brackets too: `spec.http[0].match[0].headers[end-user]`, `metadata.labels[app.kubernetes.io/name]`. The rule looks at
the text alone, so a path prints alike wherever it comes from. Everyone who reports a Problem calls this.
"""

import json
import re

Path = tuple[str | int, ...]

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_KEY = re.compile(r"[^\]\[\"\s\x00-\x1f]+")


def path_text(path: Path) -> str:
    """`("spec", "hosts", 0)` -> `spec.hosts[0]`; the empty path is the empty text."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _WORD.fullmatch(step):
            parts.append(f".{step}" if parts else step)
        else:
            parts.append(f"[{step if _PLAIN_KEY.fullmatch(step) else json.dumps(step)}]")
    return "".join(parts)


def is_under(path: Path, ancestor: Path) -> bool:
    """True when `path` is `ancestor` itself or lies inside it."""
    return path[: len(ancestor)] == ancestor
