"""From a question in the user's words to the request, and the way by which it comes to the first proxy."""

from urllib.parse import urlsplit

import msgspec

from proa.core.model.names import WorkloadId
from proa.core.model.workload import Workload
from proa.core.pilot.explain.mesh import Known
from proa.core.pilot.explain.story import Question
from proa.core.pilot.simulate import (
    HTTP1,
    OWN_TLS,
    RAW,
    Connect,
    Connection,
    Explicit,
    Gateway,
    Own,
    Request,
    Via,
)
from proa.core.pilot.simulate.matching import without_port

PORTS = {"http": 80, "https": 443}


class BadQuestion(ValueError):
    """The question cannot be asked of this mesh; the message says why."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`words` is the request as it is told back."""

    first: WorkloadId
    request: Request
    via: Via
    words: str


def ask(known: Known, question: Question) -> Asked:
    """Raises BadQuestion."""
    first = question.gateway or question.source
    if first is None:
        raise BadQuestion("whose request it is must be said: a workload, or a gateway")
    workload = known.workloads.get(first)
    if workload is None:
        raise BadQuestion(f"there is no workload {first}")
    request, port, carries = _request(question)
    words = _words(question, first)
    if question.gateway is not None:
        if workload.kind != "gateway":
            raise BadQuestion(f"{first} is no gateway")
        return Asked(first=first, request=request, via=_to_gateway(workload, port, carries), words=words)
    if workload.kind != "sidecar":
        what = "is a gateway; name it by --via" if workload.kind == "gateway" else "has no sidecar"
        raise BadQuestion(f"{first} {what}")
    own = _own(workload, request, port, carries)
    if own is not None:
        named = next((value for name, value in request.headers if name.lower() == "host"), request.authority)
        rest = tuple(each for each in request.headers if each[0].lower() != "host")
        asked = msgspec.structs.replace(request, authority=named, headers=rest)
        return Asked(first=first, request=asked, via=own, words=words)
    if not workload.outbound_port:
        raise BadQuestion(f"{first} calls nobody through its sidecar: it was started without capture")
    host = without_port(request.authority)
    via = Explicit() if carries == HTTP1 else Connect(authority=f"{host}:{port}", carries=carries)
    return Asked(first=first, request=request, via=via, words=words)


def _request(question: Question) -> tuple[Request, int, Connection]:
    if question.tcp:
        host = without_port(question.tcp)
        if host == question.tcp or not host:
            raise BadQuestion(f"{question.tcp} is not HOST:PORT")
        carries = msgspec.structs.replace(OWN_TLS, sni=question.sni) if question.sni else RAW
        return Request(authority=question.tcp), _port(question.tcp), carries
    parts = urlsplit(question.url)
    try:
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        port = 0
    if not parts.hostname or not port:
        raise BadQuestion(f"{question.url} is no URL of http or https, like http://reviews:9080/")
    request = Request(
        method=question.method.upper(),
        scheme=parts.scheme,
        authority=parts.netloc.rpartition("@")[2],
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        headers=question.headers,
    )
    if parts.scheme == "http":
        return request, port, HTTP1
    return request, port, msgspec.structs.replace(OWN_TLS, sni=question.sni or parts.hostname)


def _port(authority: str) -> int:
    return int(authority.rpartition(":")[2])


def _to_gateway(workload: Workload, port: int, carries: Connection) -> Gateway:
    """By the port that a server names, or by the one really bound for it."""
    named = next((each.port for each in workload.gateway_ports if port == each.port), None)
    bound = next((each.port for each in workload.gateway_ports if port == each.bound_port), None)
    return Gateway(port=named or bound or port, carries=carries)


def _own(workload: Workload, request: Request, port: int, carries: Connection) -> Own | None:
    """A listener that a Sidecar asks for, dialled by its address. Whose a request is stands in a Host header."""
    dialled = (without_port(request.authority).replace("localhost", "127.0.0.1"), port)
    held = {(each.address, each.port) for each in workload.gateway_ports if each.address and not each.fault}
    return Own(address=dialled[0], port=port, carries=carries) if dialled in held else None


def _words(question: Question, first: WorkloadId) -> str:
    what = f"a stream to {question.tcp}" if question.tcp else f"{question.method.upper()} {question.url}"
    if question.sni:
        what += f" (SNI {question.sni})"
    if question.gateway is not None:
        return f"{what} from outside, at {first}"
    return f"{what} from {first}"
