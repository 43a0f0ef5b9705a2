"""Programs that are asked whether a request may pass: CUSTOM policies name them, the mesh's settings list them."""

from typing import Final

import msgspec

DEFAULT_TIMEOUT_MS: Final = 600_000
DEFAULT_STATUS: Final = 403


class CheckedBody(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a request's body the program sees. `allow_partial`: the beginning of a longer one, instead of a
    refusal."""

    most_bytes: int
    allow_partial: bool = False
    as_bytes: bool = False


class CheckProvider(msgspec.Struct, frozen=True, kw_only=True):
    """`host` is a service's full name. Envoy's ext_authz by gRPC, or by HTTP, to which what stands last belongs: the
    prefix of its path, which headers it sees and which of its own go on. Names may begin or end with `*`. It is an
    error of the program's when it does not answer in time, or badly: then `status_on_error`, unless `fail_open`."""

    name: str
    host: str
    port: int
    is_grpc: bool
    timeout_ms: int = DEFAULT_TIMEOUT_MS
    fail_open: bool = False
    clear_route_cache: bool = False
    status_on_error: int = DEFAULT_STATUS
    body: CheckedBody | None = None
    path_prefix: str = ""
    request_headers: tuple[str, ...] = ()
    added_headers: tuple[tuple[str, str], ...] = ()
    headers_to_upstream: tuple[str, ...] = ()
    headers_on_deny: tuple[str, ...] = ()
    headers_on_allow: tuple[str, ...] = ()
