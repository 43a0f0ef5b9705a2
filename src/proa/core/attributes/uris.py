"""Whether a text is a URI, and whether two are the same one. What is taken is what Go's `net/url` takes, relative ones
too."""

import re

import msgspec

from proa.core.attributes.addresses import parse_address
from proa.core.attributes.dns_names import same_dns_name

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_USER = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_HOST = re.compile(r"[^\x00-\x20\"#/<>?@\[\\\]^`{|}\x7f:%]*")
_BRACKETED = re.compile(r"\[[0-9A-Fa-f:.]+(?:%25[^\]]+)?\]")
_PORT = re.compile(r"(?::([0-9]*))?")


class Uri(msgspec.Struct, frozen=True):
    """Cut into pieces; `scheme` in lower case, `rest` all behind the authority (or behind the scheme)."""

    scheme: str
    user: str
    host: str
    port: str
    has_authority: bool
    rest: str


def uri_fault(text: str) -> str | None:
    """None, or why the text is no URI."""
    return fault if isinstance(fault := _cut(text), str) else None


def same_uri(first: str, second: str) -> bool:
    """Schemes without case. For http and https the host as a DNS name, the port as text; all else exactly. Raises
    ValueError for what is no URI, or has no DNS name where one is compared."""
    one, other = _known(first), _known(second)
    if one.scheme != other.scheme:
        return False
    if one.scheme in ("http", "https") and one.host and other.host:
        same = (
            one.host.lower() == other.host.lower()
            if _is_address(one.host)
            else same_dns_name(one.host, other.host)
        )
        if not same:
            return False
        other = msgspec.structs.replace(other, host=one.host)
    return one == other


def _is_address(host: str) -> bool:
    return host.startswith("[") or parse_address(host) is not None


def _known(text: str) -> Uri:
    uri = _cut(text)
    if isinstance(uri, str):
        raise ValueError(f'"{text[:70]}" is no URI: {uri}')
    return uri


def _cut(text: str) -> Uri | str:
    """The pieces, or why there are none."""
    if not text:
        return "it is empty"
    if _CONTROL.search(text):
        return "it has control characters"
    if text.startswith(":"):
        return "there is no scheme before the colon"
    scheme = _SCHEME.match(text)
    name = scheme[1].lower() if scheme else ""
    rest = text[scheme.end() :] if scheme else text
    path = rest.partition("#")[0].partition("?")[0]
    if not path.startswith("/"):
        if not scheme and ":" in path.partition("/")[0]:
            return "its first part has a colon and is no scheme"
        # `urn:foo`: what is behind the scheme is opaque, escapes and all.
        return (
            Uri(name, "", "", "", False, rest) if scheme else _with_path(Uri(name, "", "", "", False, rest))
        )
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        return _with_authority(name, rest[2:])
    return _with_path(Uri(name, "", "", "", False, rest))


def _with_authority(scheme: str, rest: str) -> Uri | str:
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    user, sign, place = rest[:end].rpartition("@")
    if not _USER.fullmatch(user) or _BAD_ESCAPE.search(user):
        return "its user part has characters that must be escaped"
    host = _BRACKETED.match(place) or _HOST.match(place)
    port = _PORT.fullmatch(place, host.end()) if host else None
    if host is None or port is None:
        return f'its host "{place[:70]}" cannot be read'
    return _with_path(Uri(scheme, user + sign, host[0], port[1] or "", True, rest[end:]))


def _with_path(uri: Uri) -> Uri | str:
    path, _, fragment = uri.rest.partition("#")
    # A query is taken as it is; escapes in it are its reader's affair.
    if _BAD_ESCAPE.search(path.partition("?")[0]) or _BAD_ESCAPE.search(fragment):
        return "a percent sign is not followed by two hexadecimal digits"
    return uri
