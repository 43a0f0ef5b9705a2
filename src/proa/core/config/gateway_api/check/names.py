"""Host names as listeners and routes write them."""

from proa.core.config.hostnames import is_ip, wildcard_name_fault
from proa.core.config.tree import shorten


def hostname_fault(host: str) -> str | None:
    if is_ip(host) or any(char in host for char in ":/?#@[]"):
        return f'"{shorten(host)}" is no host name; write a DNS name, without address or port'
    if "*" in host and not host.startswith("*."):
        return f'"{shorten(host)}" is no host name: * may stand only as the first part, like *.example.com'
    return wildcard_name_fault(host)
