"""Whether a text is an e-mail address (RFC 5322, without a display name), and whether two are the same one."""

import re
from collections.abc import Iterator

import msgspec

from proa.core.attributes.dns_names import dns_name_fault, same_dns_name

_ATOM = r"[^\x00-\x20()<>\[\]:;@\\,.\"\x7f]+"
_QUOTED = r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])+)"'
_SPEC = rf"(?:({_ATOM}(?:\.{_ATOM})*)|{_QUOTED})[ \t]*@[ \t]*({_ATOM}(?:\.{_ATOM})*)"
_ADDRESS = re.compile(rf"[ \t]*(?:{_SPEC}|<[ \t]*{_SPEC}[ \t]*>)[ \t]*")
_LONGEST = 1024


class _Parts(msgspec.Struct, frozen=True):
    local: str
    domain: str


def email_fault(text: str) -> str | None:
    """None, or why the text is no address."""
    parts = _parts(text)
    if parts is None:
        return "an address is like name@example.com, without a display name"
    fault = dns_name_fault(parts.domain)
    return f"its domain is no DNS name: {fault}" if fault else None


def same_email(first: str, second: str) -> bool:
    """Domains compare as DNS names, local parts exactly, with quotes taken off. Raises ValueError for no address."""
    one, other = _known(first), _known(second)
    return same_dns_name(one.domain, other.domain) and one.local == other.local


def _known(text: str) -> _Parts:
    parts = _parts(text)
    if parts is None:
        raise ValueError(f'"{text[:70]}" is no e-mail address')
    return parts


def _parts(text: str) -> _Parts | None:
    whole = _ADDRESS.fullmatch(text) if len(text) <= _LONGEST else None
    if whole is None:
        return None
    atoms, quoted, domain = whole.groups()[3:] if whole[6] is not None else whole.groups()[:3]
    return _Parts(atoms if atoms is not None else "".join(_unquoted(quoted)), domain)


def _unquoted(text: str) -> Iterator[str]:
    rest = iter(text)
    for char in rest:
        yield next(rest) if char == "\\" else char
