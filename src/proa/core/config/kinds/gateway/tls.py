"""Whether a server has the TLS that its protocol asks for. Called by this kind's validator; the settings themselves are
judged by `core.config.server_tls`."""

from collections.abc import Iterator

from proa.core.config.kinds.gateway.schema import Server
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.server_tls import check_server_tls


def check_tls(server: Server, at: Path) -> Iterator[Finding]:
    """Whether there must, may or must not be TLS on such a port; then the settings themselves."""
    protocol, tls = server.port.protocol.upper(), server.tls
    if tls is None:
        if server.is_tls:
            yield Finding(
                at, "required", f"{protocol} servers need tls; add it with a mode, like PASSTHROUGH or SIMPLE"
            )
        return
    place = (*at, "tls")
    if not server.is_tls and tls.mode != "PASSTHROUGH":
        message = f"a {protocol} server has no TLS to end; make it HTTPS or TLS, or remove tls.mode"
        yield Finding((*place, "mode"), "conflict", message)
        return
    if tls.https_redirect and (server.is_tls or not server.is_http):
        message = "only plain HTTP can be sent to HTTPS; remove httpsRedirect here"
        yield warning((*place, "httpsRedirect"), "no-effect", message)
    yield from check_server_tls(tls, place)
