"""What is spoken on one hop, and what the server makes of it: the decision from which both ends follow.

`client_speaks` is what clusters do, `server_reads` what inbound listeners do; the listeners ask here, and a law of the
tests holds clusters, listeners and real Envoys to it. `proa authn check` prints it.
"""

from typing import Final, Literal, get_args

import msgspec

from proa.core.model.endpoint import TlsFact
from proa.core.model.workload import TlsMode

ClientKind = Literal["sidecar", "gateway", "proxyless", "plain", "foreign"]
"""`plain`: a program without a proxy, that calls the sidecar's port. `foreign`: one that speaks as a sidecar does, with
a certificate of another authority."""
ClientRule = Literal["auto", "mutual", "plain", "outside"]
"""What a DestinationRule says: nothing, ISTIO_MUTUAL, DISABLE, SIMPLE or MUTUAL."""
ServerMode = Literal["STRICT", "PERMISSIVE", "DISABLE", "NONE"]
"""NONE: there is no sidecar."""
Wire = Literal["plaintext", "mesh TLS", "gRPC's mesh TLS", "TLS", "foreign mesh TLS"]
"""gRPC's own client shows the same certificates, and nothing in its greeting tells mesh TLS from a program's."""
Result = Literal["plaintext", "mutual TLS", "program's TLS", "refused"]
"""`program's TLS`: it is passed on as it came, and the program must end it."""
Refusal = Literal["no way", "no certificate of the mesh", "certificate untrusted", "nobody ends it"]
"""`no way`: the client has no cluster for it. `nobody ends it`: the server's sidecar passes mesh TLS on, and the client
believes no program's certificate."""

FOREIGN: Final[Wire] = "foreign mesh TLS"
WIRES: Final[tuple[Wire, ...]] = tuple(each for each in get_args(Wire) if each != FOREIGN)
"""What callers of good will speak."""
MESH_WIRES: Final = ("mesh TLS", "gRPC's mesh TLS")


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """`wire` None: the client has no way to that server at all. `why` of what is refused."""

    wire: Wire | None
    result: Result
    why: Refusal | None = None


def client_speaks(client: ClientKind, rule: ClientRule, fact: TlsFact) -> Wire | None:
    """`fact` is what clients were told of the endpoint."""
    if client == "plain":
        return "plaintext"
    if client == "foreign":
        return FOREIGN
    if client == "proxyless" and rule == "outside":
        return None
    if rule == "outside":
        return "TLS"
    if rule == "plain" or (rule == "auto" and fact == "disabled"):
        return "plaintext"
    return "gRPC's mesh TLS" if client == "proxyless" else "mesh TLS"


def server_reads(wire: Wire, mode: ServerMode) -> Result:
    """What becomes of a connection at a port of this mode."""
    match mode:
        case "STRICT":
            return "mutual TLS" if wire in MESH_WIRES else "refused"
        case "PERMISSIVE" if wire == "mesh TLS":
            return "mutual TLS"
        case "PERMISSIVE" if wire == FOREIGN:
            return "refused"
        case _ if wire in MESH_WIRES:
            # It is passed on, and no program has the mesh's certificates.
            return "refused"
        case _:
            return "plaintext" if wire == "plaintext" else "program's TLS"


def takes(wire: Wire, mode: TlsMode) -> bool:
    return server_reads(wire, mode) != "refused"


def hop(client: ClientKind, rule: ClientRule, fact: TlsFact, mode: ServerMode) -> Hop:
    wire = client_speaks(client, rule, fact)
    if wire is None:
        return Hop(wire=None, result="refused", why="no way")
    result = server_reads(wire, mode)
    return Hop(wire=wire, result=result, why=_why(wire) if result == "refused" else None)


def _why(wire: Wire) -> Refusal:
    if wire == FOREIGN:
        return "certificate untrusted"
    return "nobody ends it" if wire in MESH_WIRES else "no certificate of the mesh"


def partner_hop(mode: ServerMode, *, is_believed: bool) -> Hop:
    """From a workload of another trust domain, by mesh TLS: as from one of ours where its domain's bundle is accepted,
    and nothing elsewhere. What its requests may do is for policies (`core.auth.federation.judge`)."""
    if not is_believed:
        return Hop(wire="mesh TLS", result="refused", why="certificate untrusted")
    return hop("sidecar", "mutual", "mutual", mode)


def refused_at(mode: ServerMode) -> tuple[Wire, ...]:
    """What a port of this mode lets nobody say."""
    return tuple(wire for wire in WIRES if server_reads(wire, mode) == "refused")
