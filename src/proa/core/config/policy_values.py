"""What values of authorization policies may look like, old ones and today's, in the words of a problem. Their
validators ask."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

SCHEME: Final = "spiffe://"
_BLANK: Final = re.compile(r"[\s\x00-\x1f\x7f]")
_METHODS: Final = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)


def check_patterns(
    values: Iterable[str], at: Path, fault_of: Callable[[str], str | None]
) -> Iterator[Finding]:
    """What is wrong with each value, or may be meant otherwise."""
    for index, value in enumerate(values):
        if fault := fault_of(value):
            yield Finding((*at, index), "bad-value", fault)
        elif doubt := pattern_doubt(value):
            yield warning((*at, index), "no-effect", doubt)


def pattern_doubt(value: str) -> str | None:
    """Of a value that stands where patterns do: stars that are none. Templates have stars of their own."""
    if "{" in value or value in ("*", "**"):
        return None
    inside = value[1:] if value.startswith("*") else value
    if "*" in (inside if inside != value else value.removesuffix("*")):
        return f'"{shorten(value)}": only one * at the beginning or the end stands for any text; others for themselves'
    return None


def method_doubt(value: str) -> str | None:
    if value not in _METHODS and value.upper() in _METHODS:
        return f'methods are compared as they are written; write "{value.upper()}"'
    return None


def pattern_fault(value: str) -> str | None:
    """For exact values, `prefix*`, `*suffix` and `*`: any text, but some."""
    return None if value else "an empty value matches nothing; write it or remove it"


def port_fault(value: str) -> str | None:
    if value.isascii() and value.isdecimal() and 1 <= int(value[:9]) <= 65535:
        return None
    return f'"{shorten(value)}" is no port; write a number from 1 to 65535'


def principal_fault(value: str) -> str | None:
    if value.startswith(SCHEME):
        return f"principals are compared without {SCHEME}; remove it"
    return pattern_fault(value)


def method_fault(value: str) -> str | None:
    if _BLANK.search(value):
        return f'"{shorten(value)}" is no method; write one, and others as items of their own'
    return pattern_fault(value)


def host_fault(value: str) -> str | None:
    if "/" in value or _BLANK.search(value):
        return f'"{shorten(value)}" is no host; write it as clients ask for it, without scheme and path'
    return pattern_fault(value)


def path_fault(value: str) -> str | None:
    """For exact paths, `/prefix*` and `*suffix`, as proxies compare them: canonical, without the query."""
    if not value:
        return pattern_fault(value)
    if value[0] not in "/*":
        return f'"{shorten(value)}" is no path: paths begin with a slash, patterns with / or *; write one'
    if "?" in value:
        return "paths are compared without the query; remove what follows the question mark"
    if _BLANK.search(value):
        return f'"{shorten(value)}" is no path: blanks are written as %20 in requests; write it so'
    return None
