"""What the filter that looks at end users' tokens says of a request: whose a token claims to be and for whom, in the
filter's order. Signatures and times are not looked at: whether a token that passes here is good shows when it comes.

`filters` asks it what becomes of the request, `walk` what routes may match on.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import (
    JwtAuthentication,
    JwtProvider,
    JwtRequirement,
)

from proa.core.pilot.simulate.request import Request

MISSING: Final = "Jwt is missing"
_PREFIX: Final = "Bearer "
_PARTS: Final = 3

Claims = Mapping[str, object]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`claims` of the token that is good as far as can be told, None without one. `fault`: the answer's words when the
    request is refused, with `status`."""

    claims: Claims | None = None
    fault: str = ""
    status: int = 0


def judge(config: JwtAuthentication, request: Request) -> Verdict:
    for rule in config.rules:
        if request.path.startswith(rule.match.prefix):
            return _required(rule.requires, config.providers, request)
    return Verdict()


def _required(requirement: JwtRequirement, providers: Mapping[str, JwtProvider], request: Request) -> Verdict:
    match requirement.WhichOneof("requires_type"):
        case "provider_name":
            return _by_provider(providers[requirement.provider_name], request)
        case "requires_any":
            return _any(requirement.requires_any.requirements, providers, request)
        case "requires_all":
            found = [_required(each, providers, request) for each in requirement.requires_all.requirements]
            bad = [each for each in found if each.fault]
            return bad[0] if bad else next((each for each in found if each.claims), Verdict())
        case _:
            return Verdict()


def _any(
    requirements: Iterable[JwtRequirement], providers: Mapping[str, JwtProvider], request: Request
) -> Verdict:
    """The first that holds; `allow_missing` does where nothing of the others found a token. The answer is that of the
    last one that found a bad token."""
    last = Verdict(fault=MISSING, status=401)
    takes_none = False
    for each in requirements:
        if each.WhichOneof("requires_type") == "allow_missing":
            takes_none = True
            continue
        found = _required(each, providers, request)
        if not found.fault:
            return found
        last = last if found.fault == MISSING else found
    return Verdict() if takes_none and last.fault == MISSING else last


def _by_provider(provider: JwtProvider, request: Request) -> Verdict:
    last = Verdict(fault=MISSING, status=401)
    for token in _found(provider, request):
        last = _judged(provider, token)
        if not last.fault:
            break
    return last


def _judged(provider: JwtProvider, token: str) -> Verdict:
    parts = token.split(".")
    head, claims = (_object(part) for part in (parts if len(parts) == _PARTS else ["", "", ""])[:2])
    if head is None or claims is None:
        return Verdict(fault="Jwt is not in the form of Header.Payload.Signature", status=401)
    if provider.issuer and claims.get("iss") != provider.issuer:
        return Verdict(fault="Jwt issuer is not configured", status=401)
    said = claims.get("aud", [])
    audiences = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    if provider.audiences and not set(audiences) & set(provider.audiences):
        return Verdict(fault="Audiences in Jwt are not allowed", status=403)
    if not _has_key(provider, head):
        return Verdict(fault="Jwks doesn't have key to match kid or alg from Jwt", status=401)
    return Verdict(claims=claims)


def _has_key(provider: JwtProvider, head: Claims) -> bool:
    keys: list[dict[str, str]] = msgspec.json.decode(provider.local_jwks.inline_string)["keys"]
    wanted, algorithm = head.get("kid"), head.get("alg")
    return any(
        (not wanted or key.get("kid", wanted) == wanted) and key.get("alg", algorithm) == algorithm
        for key in keys
        if algorithm != "none"
    )


def _found(provider: JwtProvider, request: Request) -> Iterator[str]:
    """The tokens in the places that the provider reads."""
    headers = [(each.name, each.value_prefix) for each in provider.from_headers]
    params, cookies = list(provider.from_params), list(provider.from_cookies)
    if not headers and not params and not cookies:
        headers, params = [("authorization", _PREFIX)], ["access_token"]
    for name, prefix in headers:
        for value in request.values(name):
            if prefix in value:
                yield value.partition(prefix)[2].strip() if prefix else value
    query = dict(parse_qsl(request.path.partition("?")[2]))
    yield from (query[name] for name in params if name in query)
    sent = (pair.strip().partition("=") for line in request.values("cookie") for pair in line.split(";"))
    held = {name: value for name, _, value in sent}
    yield from (held[name] for name in cookies if name in held)


def _object(part: str) -> dict[str, object] | None:
    try:
        value: object = msgspec.json.decode(decode_base64(part))
    except (msgspec.DecodeError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def decode_base64(part: str) -> bytes:
    """As tokens are written: for URLs, without padding. Raises ValueError."""
    return msgspec.json.decode(f'"{part.translate(_URL)}{"=" * (-len(part) % 4)}"', type=bytes)


_URL: Final = str.maketrans("-_", "+/")
