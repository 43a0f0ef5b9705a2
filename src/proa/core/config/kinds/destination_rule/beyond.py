"""Whether a policy's tunnel leads anywhere. Called by this kind's validator."""

from collections.abc import Iterator

from proa.core.config.hostnames import host_or_ip_fault
from proa.core.config.kinds.destination_rule.schema import Tunnel
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

PROTOCOLS = ("CONNECT", "POST")


def check_tunnel(tunnel: Tunnel, at: Path) -> Iterator[Finding]:
    if tunnel.protocol and tunnel.protocol.upper() not in PROTOCOLS:
        message = f'"{shorten(tunnel.protocol)}" opens no tunnel; write one of {", ".join(PROTOCOLS)}'
        yield Finding((*at, "protocol"), "bad-value", message)
    if not tunnel.target_host:
        yield Finding((*at, "targetHost"), "required", "where does the tunnel lead? name a host")
    elif tunnel.target_host.startswith("*"):
        yield Finding((*at, "targetHost"), "bad-value", "a tunnel leads to one host; name it")
    elif fault := host_or_ip_fault(tunnel.target_host):
        yield Finding((*at, "targetHost"), "bad-value", fault)
