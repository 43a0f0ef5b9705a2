"""What may stand where a host is asked for: the rules of names, wildcards and addresses, as Istio has them.

Each function answers None, or what is wrong with the text and how to write it. Callers are the kinds' validators.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_LABEL = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?")
_WILDCARD_LABEL = re.compile(r"\*|(\*-?)?[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?")
_LONGEST_LABEL = 63
_LONGEST_NAME = 255


def is_dns_label(text: str) -> bool:
    """One part of a DNS name: at most 63 letters, digits and inner dashes. Either case, as in Istio."""
    return len(text) <= _LONGEST_LABEL and _LABEL.fullmatch(text) is not None


def is_ip(text: str) -> bool:
    return _address(text) is not None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def name_fault(text: str) -> str | None:
    """For a full or short DNS name without a wildcard."""
    if not text:
        return "a host name is empty; write one"
    if len(text) > _LONGEST_NAME:
        return f"the host name is longer than {_LONGEST_NAME} characters; shorten it"
    *labels, last = text.split(".")
    if last.isascii() and last.isdecimal():
        return f'"{text}" is no host name: its last part is a number; write a DNS name'
    bad = next((label for label in (*labels, last or "x") if not is_dns_label(label)), None)
    if bad is None:
        return None
    return f'"{text}" is no host name: the part "{bad[:80]}" must be letters, digits and inner dashes, at most 63'


def wildcard_name_fault(text: str) -> str | None:
    """For a DNS name whose first part may be, or begin with, `*`."""
    first, dot, rest = text.partition(".")
    if "*" not in text or not text:
        # A bare number is a fine short name, but not the last part of a longer one.
        return None if not dot and is_dns_label(text) else name_fault(text)
    if len(text) > _LONGEST_NAME or len(first) > _LONGEST_LABEL or not _WILDCARD_LABEL.fullmatch(first):
        return f'"{text[:80]}" is no host name: * may stand only at the very start, like *.example.com'
    return name_fault(rest) if dot else None


def host_or_ip_fault(text: str) -> str | None:
    """For a DNS name, wildcards included, or an IP address."""
    return None if is_ip(text) else wildcard_name_fault(text)


def subnet_fault(text: str) -> str | None:
    """For an IP address or a CIDR block; bits beyond the prefix are allowed, as in Istio."""
    if not text:
        return "an address is empty; write an IP address or a CIDR block"
    if "/" not in text:
        return (
            None if is_ip(text) else f'"{text}" is no IP address; write one, or a CIDR block like 10.0.0.0/16'
        )
    try:
        base, _, length = text.partition("/")
        if not length.isdecimal() or not is_ip(base):
            raise ValueError
        ip_network(text, strict=False)
    except ValueError:
        return f'"{text}" is no CIDR block; write one like 10.0.0.0/16 or 2001:db8::/32'
    return None


def hosts_overlap(one: str, other: str) -> bool:
    """True when some name fits both. Wildcards are suffixes: `*.example.com` overlaps `*.com`."""
    if one.startswith("*") and other.startswith("*"):
        return one[1:].endswith(other[1:]) or other[1:].endswith(one[1:])
    if one.startswith("*"):
        return other.endswith(one[1:])
    return one.endswith(other[1:]) if other.startswith("*") else one == other


def gateway_host_fault(text: str) -> str | None:
    """For a Gateway's host: `*`, a dotted name or an IP, after an optional `namespace/`."""
    namespace, slash, host = text.partition("/")
    if not slash:
        namespace, host = "*", text
    if not namespace or not host:
        return f'"{text}" needs both a namespace and a name around the slash'
    if namespace not in ("*", ".") and not is_dns_label(namespace):
        return f'"{namespace}" is no namespace; write a name, . or *'
    if host != "*" and "." not in host and not is_ip(host):
        return f'"{host}" is a short name; write the full name, like {host}.example.com, or *'
    return host_or_ip_fault(host)


def sni_fault(text: str) -> str | None:
    """For a host that connections are told apart by: TLS knows whole labels only."""
    if text.startswith("*") and text != "*" and not text.startswith("*."):
        return f'"{text}" cannot be told by SNI; * must stand for whole parts, like *.example.com'
    return None


def sidecar_host_fault(text: str) -> str | None:
    """For a host that a Sidecar imports: `namespace/name`, the name `*` or dotted."""
    namespace, slash, host = text.partition("/")
    if not slash or not namespace or not host:
        return (
            f'"{text}" needs both a namespace and a name; write namespace/name, like ./* or */*.example.com'
        )
    owner = namespace.removeprefix("~")
    if owner not in ("*", ".", "") and not is_dns_label(owner):
        return f'"{namespace}" is no namespace; write a name, . for this one, * for all or ~ for none'
    if namespace == "~" and host != "*":
        return f'"{text}" imports nothing; write ~/* to say so'
    if host != "*" and "." not in host:
        return f'"{host}" is a short name; write the full name, like {host}.example.com, or *'
    return None if host == "*" else wildcard_name_fault(host)


def gateway_name_fault(text: str) -> str | None:
    """For the name of a Gateway in a rule: `name` or `namespace/name`."""
    namespace, slash, name = text.partition("/")
    if not text:
        return "a gateway's name is empty; write name or namespace/name"
    if not slash:
        return name_fault(text)
    if not is_dns_label(namespace):
        return f'"{namespace}" is no namespace; write namespace/name'
    return None if is_dns_label(name) else f'"{name}" is no gateway\'s name; write namespace/name'
