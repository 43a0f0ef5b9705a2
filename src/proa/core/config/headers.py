"""Which names headers can have, in the words of a problem. Validators of kinds ask."""

import re

from proa.core.config.tree import shorten

# RFC 9110 token, and the pseudo headers that Envoy takes.
_HEADER_NAME = re.compile(r":?[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def header_name_fault(name: str) -> str | None:
    if _HEADER_NAME.fullmatch(name):
        return None
    return f'"{shorten(name)}" is no header name; write letters, digits and dashes'
