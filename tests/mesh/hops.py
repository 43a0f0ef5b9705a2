"""The matrix of hops on real Envoys: every server policy by every client rule by every kind of client, and what came of
each, beside what `core.auth.hop` says beforehand.

`both` (`apps/hop_server.py`) takes plaintext and TLS, so that nothing is refused but by proxies. `caller` has a
sidecar, `hop-edge` is a gateway, `hop-grpc` a program with gRPC's own client; one plain client has nothing, one comes
with a certificate of another authority.
"""

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Final, get_args
from urllib.parse import urlsplit

import msgspec

from proa.core.auth.hop import ClientKind, ClientRule, Hop, Result, hop
from proa.core.auth.peer_policy import advertised_for
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.workload import TlsMode
from proa.core.pilot.explain.peers import PeerQuestion
from proa.demo.intruder import REFUSED, knock, make_intruders
from proa.servers.admin.operations import ApplyOutcome, ApplyRequest, DeleteRequest, SourceFile
from tests.certificates import Authority
from tests.mesh.harness import Mesh, app, identity, until
from tests.ports import held_ports

HTTP, GRPC = 8080, 50051
HOST: Final = "both"
SERVER: Final = WorkloadId("default", HOST)
EDGE_PORT: Final = 7490
MODES: Final = ("UNSET", "DISABLE", "PERMISSIVE", "STRICT")
DOOR: Final = f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: hops}}
spec:
  selector: {{istio: hops}}
  servers: [{{port: {{number: {EDGE_PORT}, name: http, protocol: HTTP}}, hosts: ["*"]}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: hops}}
spec:
  hosts: ["*"]
  gateways: [hops]
  http: [{{route: [{{destination: {{host: {HOST}, port: {{number: {HTTP}}}}}}}]}}]
"""


class ServerPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Objects, and the modes that they give the two ports of `both`."""

    name: str
    text: str
    http: TlsMode
    grpc: TlsMode


class ClientSays(msgspec.Struct, frozen=True, kw_only=True):
    """A DestinationRule, and what it says of the two ports."""

    name: str
    text: str
    http: ClientRule
    grpc: ClientRule


# Server policies


def _peer(mode: str, namespace: str, more: str = "") -> str:
    name = "both" if more else "default"
    return f"""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{mtls: {{mode: {mode}}}{more}}}
"""


SELECTED: Final = f", selector: {{matchLabels: {{app: {HOST}}}}}"


def _level(name: str, mode: str, below: TlsMode) -> ServerPolicy:
    """`below` is what counts where the mode is UNSET: of the next wider level."""
    found: TlsMode = below if mode == "UNSET" else mode  # type: ignore[assignment]
    wide, narrow = _peer(below, "istio-system"), _peer(mode, "default")
    match name:
        case "mesh":
            found = "STRICT" if mode == "UNSET" else found
            text = _peer(mode, "istio-system")
        case "namespace":
            text = f"{wide}---{narrow}"
        case "selector":
            text = f"{_peer(below, 'default')}---{_peer(mode, 'default', SELECTED)}"
        case _:
            ports = f"{SELECTED}, portLevelMtls: {{{HTTP}: {{mode: {mode}}}}}"
            return ServerPolicy(
                name=f"port {mode} within {below}",
                text=_peer(below, "default", ports),
                http=found,
                grpc=below,
            )
    return ServerPolicy(name=f"{name} {mode} within {below}", text=text, http=found, grpc=found)


def _of_2018(name: str, text: str, http_mode: TlsMode, grpc_mode: TlsMode) -> ServerPolicy:
    head = "apiVersion: authentication.istio.io/v1alpha1\n"
    whole = "---\n".join(f"{head}{each}\n" for each in text.split("|"))
    return ServerPolicy(name=f"2018 {name}", text=whole, http=http_mode, grpc=grpc_mode)


def server_policies() -> list[ServerPolicy]:
    """Each mode at each level, with others below; and the forms of 2018."""
    others: tuple[TlsMode, ...] = ("DISABLE", "PERMISSIVE", "STRICT")
    widths = cycle(others)
    found = [
        _level(name, mode, next(widths) if mode == "UNSET" else others[MODES.index(mode) % 3])
        for name in ("mesh", "namespace", "selector", "port")
        for mode in MODES
    ]
    mesh = "kind: MeshPolicy\nmetadata: {name: default}\nspec: "
    space = "kind: Policy\nmetadata: {name: default, namespace: default}\nspec: "
    one = "kind: Policy\nmetadata: {name: both, namespace: default}\nspec: "
    target = f"targets: [{{name: {HOST}}}]"
    port = f"targets: [{{name: {HOST}, ports: [{{number: {HTTP}}}]}}]"
    plain, strict, sniffing = (
        "{}",
        "{peers: [{mtls: {}}]}",
        "{peers: [{mtls: {mode: PERMISSIVE}}]}",
    )
    return [
        *found,
        _of_2018("mesh, mtls", mesh + strict, "STRICT", "STRICT"),
        _of_2018("mesh, permissive", mesh + sniffing, "PERMISSIVE", "PERMISSIVE"),
        _of_2018("namespace, no peers", f"{mesh}{strict}|{space}{plain}", "PERMISSIVE", "PERMISSIVE"),
        _of_2018(
            "service, optional",
            f"{space}{plain}|{one}{{{target}, peers: [{{mtls: {{}}}}], peerIsOptional: true}}",
            "PERMISSIVE",
            "PERMISSIVE",
        ),
        _of_2018(
            "port, mtls", f"{space}{plain}|{one}{{{port}, peers: [{{mtls: {{}}}}]}}", "STRICT", "PERMISSIVE"
        ),
    ]


# Client rules


def client_rules(cert: Path, key: Path) -> list[ClientSays]:
    """Each mode for all ports, and for each port apart. `cert` and `key` are what MUTUAL shows."""
    modes: dict[str, tuple[ClientRule, str]] = {
        "none": ("auto", ""),
        "DISABLE": ("plain", "{mode: DISABLE}"),
        "SIMPLE": ("outside", "{mode: SIMPLE, insecureSkipVerify: true}"),
        "ISTIO_MUTUAL": ("mutual", "{mode: ISTIO_MUTUAL}"),
        "MUTUAL": (
            "outside",
            f"{{mode: MUTUAL, clientCertificate: {cert}, privateKey: {key}, insecureSkipVerify: true}}",
        ),
    }
    found = [_says(name, f"{{tls: {tls}}}" if tls else "", rule, rule) for name, (rule, tls) in modes.items()]
    named = list(modes.items())
    for (name, (rule, tls)), (other, (wide, below)) in zip(named[1:], [*named[2:], named[1]], strict=True):
        ports = f"{{port: {{number: {HTTP}}}, tls: {tls}}}"
        found.append(
            _says(
                f"{name} at a port, else {other}",
                f"{{tls: {below}, portLevelSettings: [{ports}]}}",
                rule,
                wide,
            )
        )
    return found


def _says(name: str, policy: str, http_rule: ClientRule, grpc_rule: ClientRule) -> ClientSays:
    traffic = f", trafficPolicy: {policy}" if policy else ""
    text = f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {HOST}}}
spec: {{host: {HOST}{traffic}}}
"""
    return ClientSays(name=name, text=text, http=http_rule, grpc=grpc_rule)


# Clients


class Hops:
    """The scene while it stands; `ask` has one client of each kind call, and gives what came of it."""

    def __init__(self, mesh: Mesh, folder: Path, socket_path: Path) -> None:
        self.mesh = mesh
        issued = Authority(folder).issue(identity("caller"))
        self.rules = client_rules(issued.cert, issued.key)
        self._socket = socket_path
        self._foreign = make_intruders(WorkloadId("default", "caller"), "caller")["forged identity"]
        self._number = 0
        self.error = ""
        self.ask: dict[ClientKind, Callable[[], Result]] = {
            "sidecar": lambda: self._over_http(mesh.proxy("caller"), f"http://{HOST}:{HTTP}"),
            "gateway": lambda: self._over_http(
                f"http://127.0.0.1:{mesh.gateway_port(EDGE_PORT, 'hop-edge')}", ""
            ),
            "proxyless": self._over_grpc,
            "plain": lambda: self._knocking(is_foreign=False),
            "foreign": lambda: self._knocking(is_foreign=True),
        }
        self.sources: dict[ClientKind, WorkloadId | None] = {
            "sidecar": WorkloadId("default", "caller"),
            "gateway": WorkloadId("default", "hop-edge"),
            "proxyless": WorkloadId("default", "hop-grpc"),
            "plain": None,
        }

    def _path(self) -> str:
        self._number += 1
        return f"/hop{self._number}"

    def _over_http(self, door: str, prefix: str) -> Result:
        """On a connection of its own."""
        place, path = urlsplit(door), self._path()
        with contextlib.closing(
            http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        ) as to:
            to.request("GET", prefix + path)
            answer = to.getresponse()
            body = answer.read()
        if answer.status == 200:
            return _kind_of(body)
        assert answer.status == 503, (answer.status, body)
        self._not_seen(path)
        return "refused"

    def _over_grpc(self) -> Result:
        with socket.socket(socket.AF_UNIX) as to:
            to.settimeout(30)
            to.connect(str(self._socket))
            answer = to.recv(65536)
        self.error = answer.decode() if answer.startswith(b"!") else ""
        return "refused" if self.error else _kind_of(answer)

    def _knocking(self, *, is_foreign: bool) -> Result:
        path = self._path()
        address = self.mesh.inbound(HOST, HTTP)
        context = self._foreign if is_foreign else None
        said = asyncio.run(knock(address, SERVER, HTTP, context, path))
        if said == REFUSED:
            self._not_seen(path)
            return "refused"
        assert said.startswith("answered b'HTTP/1.1 200"), said
        return "program's TLS" if is_foreign else "plaintext"

    def _not_seen(self, path: str) -> None:
        assert f"seen {path}\n" not in self.mesh.workloads[HOST].output

    def refused_at_server(self) -> int:
        """How many connections its sidecar has counted as refused: for want of a chain that takes them, or of a
        certificate that is believed."""
        counted = self.mesh.stats(
            HOST, r"listener\..*(no_filter_chain_match|ssl\.fail_verify_|ssl\.connection_error)"
        )
        return sum(counted.values())


def _kind_of(body: bytes) -> Result:
    told = json.loads(body)
    if told["tls"]:
        return "program's TLS"
    return "mutual TLS" if "URI=spiffe://" in told["caller"] else "plaintext"


@contextlib.contextmanager
def hops_scene(mesh: Mesh, folder: Path) -> Iterator[Hops]:
    """Beside `caller`, which the mesh has."""
    asked_at = folder / "asked"
    with held_ports(1) as (free,):
        ports = (f"{HTTP}:auto/http", f"{GRPC}:{free}/grpc")
        mesh.run(HOST, app("hop_server", str(free)), port=ports, wait=False)
        mesh.gateway("--label=istio=hops", name="hop-edge", wait=False)
        mesh.until_healthy(HOST, "hop-edge")
        caller = app("grpc_caller", str(asked_at), f"xds:///{HOST}:{GRPC}")
        mesh.run("hop-grpc", caller, "--proxyless")
        until(asked_at.exists, "the gRPC client can be asked")
        try:
            with mesh.applied(DOOR):
                yield Hops(mesh, folder, asked_at)
        finally:
            for name in (HOST, "hop-edge", "hop-grpc"):
                mesh.stop(name)


# The law


def expected(client: ClientKind, policy: ServerPolicy, rule: ClientSays) -> Hop:
    if client == "proxyless":
        return hop(client, rule.grpc, advertised_for(policy.grpc), policy.grpc)
    return hop(client, rule.http, advertised_for(policy.http), policy.http)


def try_cell(hops: Hops, policy: ServerPolicy, rule: ClientSays) -> dict[str, int]:
    """Has every kind of client call, with both in force, and `proa authn check` say what it says. How often each
    result came."""
    found: dict[str, int] = {}
    before, counted = hops.refused_at_server(), 0
    for client in get_args(ClientKind):
        wanted = expected(client, policy, rule)
        where = f"{client}, {policy.name}, {rule.name}: {wanted}"
        if client == "proxyless":
            # gRPC has taken a change before its channel has made the connections anew.
            try:
                until(lambda it=wanted.result: hops.ask["proxyless"]() == it, where)  # type: ignore[misc]
            except AssertionError as fault:
                raise AssertionError(hops.error) from fault
        else:
            got = hops.ask[client]()
            assert got == wanted.result, f"{where}, not {got}"
            counted += wanted.why in ("no certificate of the mesh", "certificate untrusted")
        found[wanted.why or wanted.result] = found.get(wanted.why or wanted.result, 0) + 1
        if client != "foreign":
            _is_foretold(hops, client, wanted)
    if counted:
        where = f"{policy.name}, {rule.name}: {counted} refusals are counted"
        until(lambda: hops.refused_at_server() - before >= counted, where)
    return found


def _is_foretold(hops: Hops, client: ClientKind, wanted: Hop) -> None:
    port = GRPC if client == "proxyless" else HTTP
    (row,) = hops.mesh.admin.peers(
        PeerQuestion(destination=HOST, port=port, source=hops.sources[client])
    ).rows
    assert (row.wire, row.result, row.why) == (wanted.wire, wanted.result, wanted.why), (client, row)


def try_cells(
    hops: Hops, cells: list[tuple[ServerPolicy, ClientSays]], tell: Callable[[str], None] = print
) -> dict[str, int]:
    """Of cells that stand together and have a policy in common only the rule is changed."""
    found: dict[str, int] = {}
    stands = ""
    refs: set[ObjectRef] = set()
    try:
        for policy, rule in cells:
            if policy.text != stands:
                _remove(hops.mesh, refs)
                refs = _put(hops.mesh, policy.text, rule.text)
                stands = policy.text
            else:
                refs |= _put(hops.mesh, rule.text)
            for outcome, times in try_cell(hops, policy, rule).items():
                found[outcome] = found.get(outcome, 0) + times
    finally:
        _remove(hops.mesh, refs)
    tell(f"{len(cells)} cells: {found}")
    return found


def _put(mesh: Mesh, *texts: str) -> set[ObjectRef]:
    """As `proa apply --wait` does, without a process for each: there are hundreds."""
    files = tuple(SourceFile(name=f"{number}.yaml", text=text) for number, text in enumerate(texts))
    answer = mesh.admin.apply(ApplyRequest(files=files, author="test"))
    assert isinstance(answer, ApplyOutcome), answer
    mesh.settle(answer.version, 120)
    return {each.ref for each in answer.results}


def _remove(mesh: Mesh, refs: set[ObjectRef]) -> None:
    if refs:
        answer = mesh.admin.delete(DeleteRequest(refs=tuple(refs), author="test"))
        mesh.settle(answer.version, 120)


CORNERS: Final = (
    ("namespace STRICT", "DISABLE"),
    ("mesh STRICT", "none"),
    ("selector PERMISSIVE", "MUTUAL"),
    ("selector DISABLE", "ISTIO_MUTUAL"),
    ("port DISABLE", "none"),
    ("2018 port, mtls", "SIMPLE at a port"),
)


def corners(hops: Hops) -> list[tuple[ServerPolicy, ClientSays]]:
    """Those that a name above is the beginning of, the first of each."""
    return [
        (
            next(each for each in server_policies() if each.name.startswith(policy)),
            next(each for each in hops.rules if each.name.startswith(rule)),
        )
        for policy, rule in CORNERS
    ]
