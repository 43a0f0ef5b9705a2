"""Which names and values headers can have, in the words of a problem. Validators of kinds ask."""

import re

from proa.core.config.operators import operators_fault
from proa.core.config.tree import shorten

# RFC 9110 token, and the pseudo headers that Envoy takes.
_HEADER_NAME = re.compile(r":?[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def header_name_fault(name: str) -> str | None:
    if _HEADER_NAME.fullmatch(name):
        return None
    return f'"{shorten(name)}" is no header name; write letters, digits and dashes'


def header_value_fault(value: str) -> str | None:
    """Of a value that is sent, in which Envoy's operators may stand."""
    if any(char in value for char in "\r\n\0"):
        return "line breaks and NUL cannot stand in a header; remove them"
    return operators_fault(value)
