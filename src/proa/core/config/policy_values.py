"""What values of authorization policies may look like, old ones and today's, in the words of a problem. Their
validators ask."""

from proa.core.config.tree import shorten


def pattern_fault(value: str) -> str | None:
    """For exact values, `prefix*`, `*suffix` and `*`: any text, but some."""
    return None if value else "an empty value matches nothing; write it or remove it"


def port_fault(value: str) -> str | None:
    if value.isascii() and value.isdecimal() and 1 <= int(value[:9]) <= 65535:
        return None
    return f'"{shorten(value)}" is no port; write a number from 1 to 65535'
