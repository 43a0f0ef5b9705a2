"""What a proxy tells when it asks for a check, as attributes.

Three say something: the proxy of the request and the connection (`Asked`), the control plane of the server at whose
port it came in (`Place`), and of the caller, which it knows by its certificate (`Party`). A caller without a
certificate of the mesh is nobody: no header can make it somebody.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest
from google.protobuf.json_format import MessageToDict
from immutables import Map

from proa.core.attributes.addresses import parse_address
from proa.core.attributes.value_types import StringMap, Timestamp, Value
from proa.core.expression.tracing import Reference
from proa.core.mixer.api_specs import API_KEY, NO_APIS, Apis, grounded
from proa.core.mixer.verdict.keys import Facts
from proa.core.model.names import WorkloadId

JWT: Final = "envoy.filters.http.jwt_authn"
_GRPC: Final = frozenset({"application/grpc", "application/grpc+proto", "application/grpc+json"})


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A workload. `owner` is what started it, as a URI; empty texts are not known."""

    name: str
    namespace: str
    labels: StringMap = Map()
    account: str = ""
    workload: str = ""
    owner: str = ""
    address: str = ""

    def attributes(self, side: str) -> dict[str, Value]:
        """`side` is `source` or `destination`."""
        workload = self.workload or self.name
        found: dict[str, Value] = {
            "uid": f"kubernetes://{self.name}.{self.namespace}",
            "name": self.name,
            "namespace": self.namespace,
            "labels": self.labels,
            "workload.uid": f"istio://{self.namespace}/workloads/{workload}",
            "workload.name": workload,
            "workload.namespace": self.namespace,
        }
        for name, text in (("serviceAccount", self.account), ("owner", self.owner)):
            if text:
                found[name] = text
        address = parse_address(self.address)
        if address is not None:
            found["ip"] = address
        return {f"{side}.{name}": value for name, value in found.items()}


def named(workload: WorkloadId) -> Party:
    """One that has just come, or has just gone: it is what its certificate says."""
    return Party(name=workload.name, namespace=workload.namespace)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a proxy asks, and what is the same for all that comes in there. `apis` tell what HTTPAPISpecs say of each
    request; what they say of all is among the attributes."""

    attributes: Map[str, Value] = Map()
    apis: Apis = NO_APIS


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request, or a raw connection, which has no headers. Header names in lower case, pseudo headers among them;
    `identity` is a SPIFFE id, `workload` the name that the authority put beside it. Empty: not there."""

    headers: Mapping[str, str]
    identity: str = ""
    workload: str = ""
    address: str = ""
    server_name: str = ""
    claims: Mapping[str, object] = Map()
    nanoseconds: int = 0
    is_stream: bool = False

    @property
    def facts(self) -> Facts:
        """What a verdict's key is made of."""
        return Facts(
            headers=self.headers,
            identity=self.identity or None,
            workload=self.workload or None,
            address=self.address or None,
            server_name=self.server_name or None,
            claims=self.claims,
        )


def read_check(request: CheckRequest, workload_of: Callable[[str], str]) -> Asked:
    """`workload_of` reads a peer's certificate (PEM, as Envoy writes it in a URL): the DNS name in it, or ""."""
    attributes = request.attributes
    source, told = attributes.source, attributes.request
    metadata = attributes.metadata_context.filter_metadata
    claims = MessageToDict(metadata[JWT]).get("payload") if JWT in metadata else None
    return Asked(
        headers=dict(told.http.headers),
        identity=source.principal,
        workload=workload_of(source.certificate) if source.certificate else "",
        address=source.address.socket_address.address,
        server_name=attributes.tls_session.sni,
        claims=claims if isinstance(claims, dict) else {},
        nanoseconds=told.time.ToNanoseconds(),
        is_stream=not told.HasField("http"),
    )


class RequestBag:
    """The attributes of one request: made when they are read, for most rules read few. A core.attributes Bag."""

    def __init__(self, asked: Asked, place: Place, caller: Party | None) -> None:
        self._asked = asked
        self._place = place.attributes
        self._apis = place.apis
        self._caller = caller
        self._source: Mapping[str, Value] | None = None
        self._told: Mapping[str, Value] | None = None

    def get(self, name: str, /) -> Value | None:
        if self._asked.is_stream and name.startswith(("request.", "api.")):
            return None
        if name in self._apis.names:
            return self._of_apis(name)
        made = _MADE.get(name)
        if made is not None:
            return made(self._asked)
        if name.startswith("source."):
            if self._source is None:
                self._source = self._caller.attributes("source") if self._caller else {}
            found = self._source.get(name)
            if found is None and name == "source.ip":
                return _address(self._asked)
            return found
        return self._place.get(name)

    def _of_apis(self, name: str) -> Value | None:
        if name == API_KEY:
            return self._apis.find_key(self._asked.headers)
        if self._told is None:
            self._told = self._apis.tell(self._asked.headers)
        return self._told.get(name)

    def grounded(self, references: Iterable[Reference]) -> tuple[Reference, ...]:
        """What was read, in terms of what the proxy knows."""
        return tuple(grounded(self._apis, references))


def _address(asked: Asked) -> Value | None:
    return parse_address(asked.address)


def _principal(asked: Asked) -> Value | None:
    return asked.identity.removeprefix("spiffe://") or None


def _claim(asked: Asked, name: str) -> str | None:
    found = asked.claims.get(name)
    return found if isinstance(found, str) else None


def _end_user(asked: Asked) -> Value | None:
    issuer, subject = _claim(asked, "iss"), _claim(asked, "sub")
    return f"{issuer}/{subject}" if issuer is not None and subject is not None else None


def _audience(asked: Asked) -> Value | None:
    found = asked.claims.get("aud")
    first = found[0] if isinstance(found, (list, tuple)) and found else found
    return first if isinstance(first, str) else None


def _claims(asked: Asked) -> Value | None:
    if not asked.claims:
        return None
    return {name: claim for name, claim in asked.claims.items() if isinstance(claim, str)}


def _raw_claims(asked: Asked) -> Value | None:
    return json.dumps(asked.claims, separators=(",", ":"), ensure_ascii=False) if asked.claims else None


def _protocol(asked: Asked) -> Value:
    if asked.is_stream:
        return "tcp"
    return "grpc" if asked.headers.get("content-type", "").partition(";")[0] in _GRPC else "http"


def _time(asked: Asked) -> Value | None:
    """Of a connection it is not told."""
    return Timestamp(asked.nanoseconds) if asked.nanoseconds else None


_MADE: Final[Mapping[str, Callable[[Asked], Value | None]]] = {
    "request.headers": lambda asked: asked.headers,
    "request.host": lambda asked: asked.headers.get(":authority", ""),
    "request.path": lambda asked: asked.headers.get(":path", ""),
    "request.method": lambda asked: asked.headers.get(":method"),
    "request.scheme": lambda asked: asked.headers.get(":scheme", "http"),
    "request.referer": lambda asked: asked.headers.get("referer"),
    "request.useragent": lambda asked: asked.headers.get("user-agent"),
    "request.time": _time,
    "request.auth.principal": _end_user,
    "request.auth.audiences": _audience,
    "request.auth.presenter": lambda asked: _claim(asked, "azp"),
    "request.auth.claims": _claims,
    "request.auth.raw_claims": _raw_claims,
    "source.principal": _principal,
    "source.user": _principal,
    "origin.ip": _address,
    "connection.mtls": lambda asked: bool(asked.identity),
    "connection.requested_server_name": lambda asked: asked.server_name or None,
    "context.protocol": _protocol,
    "context.time": _time,
}

OF_REQUESTS: Final = frozenset(_MADE)
"""Attributes of the request and its connection. Others are of the place or of the caller, or not there."""
