"""One Envoy that holds many policy sets at once, and clients of several identities: where the law is tried.

Each set is what one route holds, chosen by a header, in the filter that the product's listeners hold; streams have a
filter chain each, chosen by SNI. The filters are the product's, byte for byte. What the filters found is told in the
answer's headers.
"""

import base64
import http.client
import json
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.listener.v3.listener_components_pb2 import Filter
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value
from immutables import Map

from proa.core.auth.authorization.request import Caller, Request
from proa.core.auth.authorization.values import Policy
from proa.core.auth.ca import Ca, issue, make_root, private_pem, to_pem
from proa.core.auth.template import CertificateTemplate, Validity, node_leaf, serial_from, workload_leaf
from proa.core.model.check_providers import CheckProvider
from proa.core.model.names import WorkloadId
from proa.core.pilot.filter_chain_message import filter_chain
from proa.core.pilot.translate.authorization.filters import (
    AuthorizationIntent,
    request_filters,
    stream_filters,
)
from proa.core.pilot.translate.authorization.predicates import Place
from proa.home import Home
from proa.node.options import NodeOptions
from proa.node.run import find_envoy
from proa.testing.authorization.sets import PORTS, Asked

T = "type.googleapis.com/"
READY_S = 60.0
LOOK_S = 0.02
CALLERS = (
    ("cluster.local", WorkloadId("shop", "web-1"), "web"),
    ("cluster.local", WorkloadId("shop", "api.x"), "api"),
    ("cluster.local", WorkloadId("prod", "web-1"), "web"),
    ("partner.example", WorkloadId("shop", "web-1"), "web"),
    ("cluster.local", WorkloadId("x", "sh"), "sh"),
)
CHECKER = CheckProvider(
    name="checker", host="checker.test", port=1, is_grpc=False, request_headers=("x-checker",)
)
TOLD = {
    "x-rule": "%RESPONSE_CODE_DETAILS%",
    "x-enforced": "%DYNAMIC_METADATA(envoy.filters.http.rbac:enforced_effective_policy_id)%",
    "x-dry-deny": "%DYNAMIC_METADATA(envoy.filters.http.rbac:istio_dry_run_deny_shadow_effective_policy_id)%",
    "x-dry-allow": "%DYNAMIC_METADATA(envoy.filters.http.rbac:istio_dry_run_allow_shadow_effective_policy_id)%",
    "x-audit": "%DYNAMIC_METADATA(envoy.filters.http.rbac:proa_audit_shadow_effective_policy_id)%",
}


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    principal: str
    workload: str
    files: tuple[str, str]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    told: dict[str, str]


def place(*, is_stream: bool = False, has_peer: bool = True) -> Place:
    return Place(ports=PORTS, is_stream=is_stream, has_peer=has_peer, trust_domain="cluster.local")


def make_identities(
    folder: Path, callers: Sequence[tuple[str, WorkloadId, str]]
) -> tuple[list[Identity], str]:
    """Workloads of two trust domains (domain, name, account), the last no workload but a node; with the roots that
    vouch for them."""
    now = time.time()
    roots = {
        domain: make_root(
            domain, ec.generate_private_key(ec.SECP256R1()), serial_from(secrets.token_bytes(20)), now
        )
        for domain in ("cluster.local", "partner.example")
    }
    made = [
        _identity(folder, roots[domain], domain, workload, account) for domain, workload, account in callers
    ]
    made.append(_identity(folder, roots["cluster.local"], "cluster.local", None, "here"))
    trusted = folder / "roots.pem"
    trusted.write_text("".join(ca.pem for ca in roots.values()))
    return made, str(trusted)


def _identity(folder: Path, ca: Ca, domain: str, workload: WorkloadId | None, name: str) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    validity: Validity = ca.validity(time.time(), 3600)
    serial = serial_from(secrets.token_bytes(20))
    template: CertificateTemplate = (
        workload_leaf(domain, workload, name, serial, validity)
        if workload
        else node_leaf(domain, name, serial, validity)
    )
    certificate, private = folder / f"{serial}.pem", folder / f"{serial}.key"
    certificate.write_text(to_pem(issue(template, key.public_key(), ca)))
    private.write_text(private_pem(key))
    return Identity(
        principal=str(template.uri).removeprefix("spiffe://"),
        workload=f"{workload.name}.{workload.namespace}" if workload else "",
        files=(str(certificate), str(private)),
    )


class Arena:
    """`sets` are tried by number, and behind them `others`: filters that somebody else made. `before`: words in front
    of Envoy's command line. `pid` is Envoy's while it runs."""

    def __init__(
        self,
        folder: Path,
        sets: Sequence[tuple[Policy, ...]],
        *,
        are_streams: bool = False,
        others: Sequence[Sequence[TypedExtensionConfig]] = (),
        callers: Sequence[tuple[str, WorkloadId, str]] = CALLERS,
        before: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.identities, self._roots = make_identities(folder, callers)
        self._sets = sets
        self._others = others
        self._before = before
        self.pid = 0
        self._are_streams = are_streams
        self._connections: dict[tuple[int | None, str, str], http.client.HTTPConnection] = {}
        self._ports: dict[str, int] = {}

    @contextmanager
    def running(self) -> Iterator["Arena"]:
        config = self.folder / "envoy.json"
        addresses = self.folder / "admin"
        config.write_text(json.dumps(self._bootstrap()))
        log = (self.folder / "envoy.log").open("w")
        binary = str(find_envoy(NodeOptions(home=Home("/nonexistent"))))
        command = [
            *self._before,
            binary,
            "-c",
            str(config),
            "--concurrency",
            "1",
            "-l",
            "error",
            "--use-dynamic-base-id",
        ]
        process = subprocess.Popen(
            [*command, "--admin-address-path", str(addresses)], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            deadline = time.monotonic() + READY_S
            while process.poll() is None and not self._find_ports(addresses):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"Envoy has no listeners after {READY_S} s")
                time.sleep(LOOK_S)
            if process.poll() is not None:
                raise RuntimeError((self.folder / "envoy.log").read_text()[-3000:])
            self.pid = process.pid
            yield self
        finally:
            for connection in self._connections.values():
                connection.close()
            process.terminate()
            process.wait(20)
            log.close()

    def _find_ports(self, addresses: Path) -> bool:
        if not addresses.exists() or not addresses.read_text():
            return False
        host, _, port = addresses.read_text().strip().rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        try:
            connection.request("GET", "/listeners?format=json")
            told = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        self._ports = {
            each["name"]: each["local_address"]["socket_address"]["port_value"]
            for each in told.get("listener_statuses", [])
            if "socket_address" in each["local_address"]
        }
        return {"plain", "mesh"} <= self._ports.keys()

    def ask(self, number: int, asked: Asked) -> Answer:
        connection = self._connection(asked)
        connection.putrequest(asked.method, asked.target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("host", asked.authority)
        connection.putheader("x-set", str(number))
        if asked.claims:
            connection.putheader("x-claims", _as_value(asked.claims))
        for name, value in asked.headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        return Answer(status=answer.status, told={name: answer.getheader(name, "") for name in TOLD})

    def context(self, who: int) -> ssl.SSLContext:
        """For connections of one of the identities."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(*self.identities[who].files)
        return context

    @property
    def mesh_port(self) -> int:
        return self._ports["mesh"]

    def _connection(self, asked: Asked) -> http.client.HTTPConnection:
        key = (asked.who, asked.source, asked.sni)
        if key not in self._connections:
            connection = http.client.HTTPConnection("127.0.0.1", 1, timeout=20)
            connection.sock = self._socket(*key)
            self._connections[key] = connection
        return self._connections[key]

    def stream(self, number: int, who: int, source: str) -> bool:
        """Whether a raw stream to a set gets an answer."""
        with self._socket(who, source, f"set-{number}.test") as stream:
            try:
                stream.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                return stream.recv(100).startswith(b"HTTP/1.1 200")
            except (ConnectionError, ssl.SSLError):
                return False

    def _socket(self, who: int | None, source: str, sni: str) -> socket.socket:
        port = self._ports["plain" if who is None else "mesh"]
        plain = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))
        if who is None:
            return plain
        return self.context(who).wrap_socket(plain, server_hostname=sni or None)

    def request(self, asked: Asked) -> Request:
        """The same, as the evaluator is told it."""
        headers = [(name.lower(), value) for name, value in asked.headers]
        forwarded = [value for name, value in headers if name == "x-forwarded-for"]
        told = [value for name, value in headers if name == "x-told"]
        return Request(
            caller=msgspec.structs.replace(
                self.caller(asked.who, asked.source, asked.sni),
                remote=forwarded[-1].rpartition(",")[2].strip() if forwarded else "",
            ),
            ports=PORTS,
            address="127.0.0.1",
            method=asked.method,
            authority=asked.authority,
            path=asked.target,
            headers=tuple(headers),
            claims=Map(asked.claims),
            metadata=Map({"envoy.filters.told": {"word": told[0]}} if told else {}),
        )

    def caller(self, who: int | None, source: str, sni: str) -> Caller:
        if who is None:
            return Caller(address=source)
        identity = self.identities[who]
        return Caller(principal=identity.principal, workload=identity.workload, address=source, sni=sni)

    def _bootstrap(self) -> dict[str, Any]:
        plainly = [] if self._are_streams else [self._manager(has_peer=False)]
        mesh = (
            [self._stream_chain(number, policies) for number, policies in enumerate(self._sets)]
            if self._are_streams
            else [self._mesh_chain([self._manager(has_peer=True)])]
        )
        mesh_listener = {
            "name": "mesh",
            "address": _loopback(),
            "filter_chains": mesh,
            "listener_filters": [
                {
                    "name": "tls",
                    "typed_config": {
                        "@type": f"{T}envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
                    },
                }
            ],
        }
        answering = _manager("answering", [_answer_route({})], [_router()])
        checking = _manager(
            "checking",
            [
                _answer_route({"headers": [{"name": "x-checker", "string_match": {"exact": "no"}}]}, 403),
                _answer_route({}),
            ],
            [_router()],
        )
        sockets = {name: str(self.folder / f"{name}.sock") for name in ("answering", "checking")}
        inside = [
            {
                "name": name,
                "address": {"pipe": {"path": sockets[name]}},
                "filter_chains": [{"filters": [manager]}],
            }
            for name, manager in (("answering", answering), ("checking", checking))
        ]
        plain = {
            "name": "plain",
            "address": _loopback(),
            "filter_chains": [{"filters": plainly or [answering]}],
        }
        return {
            "admin": {"address": _loopback()},
            "static_resources": {
                "listeners": [*inside, plain, mesh_listener],
                "clusters": [
                    _cluster("answering", sockets["answering"]),
                    _cluster("outbound|1||checker.test", sockets["checking"]),
                ],
            },
        }

    def _manager(self, *, has_peer: bool) -> dict[str, Any]:
        routes = []
        held: list[Sequence[TypedExtensionConfig]] = []
        for policies in self._sets:
            intent = AuthorizationIntent(
                name="authz", place=place(has_peer=has_peer), policies=policies, providers=(CHECKER,)
            )
            held.append(request_filters(intent))
        for number, filters in enumerate((*held, *self._others)):
            match = {"headers": [{"name": "x-set", "string_match": {"exact": str(number)}}]}
            route = _answer_route(match)
            if filters:
                route["typed_per_filter_config"] = {"authz": _any(filter_chain(filters, per_route=True))}
            routes.append(route)
        to_metadata = {
            "name": "told",
            "typed_config": {
                "@type": f"{T}envoy.extensions.filters.http.header_to_metadata.v3.Config",
                "request_rules": [
                    _to_metadata("x-claims", "envoy.filters.http.jwt_authn", "payload", "PROTOBUF_VALUE"),
                    _to_metadata("x-told", "envoy.filters.told", "word", "STRING"),
                ],
            },
        }
        place_held = {"name": "authz", "typed_config": _any(filter_chain(()))}
        return _manager("mesh", routes, [to_metadata, place_held, _router()])

    def _mesh_chain(self, filters: list[dict[str, Any]]) -> dict[str, Any]:
        return {"transport_socket": self._tls(), "filters": filters}

    def _stream_chain(self, number: int, policies: tuple[Policy, ...]) -> dict[str, Any]:
        intent = AuthorizationIntent(name="authz", place=place(is_stream=True), policies=policies)
        proxy = {
            "name": "tcp",
            "typed_config": {
                "@type": f"{T}envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": "tcp",
                "cluster": "answering",
            },
        }
        chain = self._mesh_chain([*map(_filter, stream_filters(intent)), proxy])
        return {"filter_chain_match": {"server_names": [f"set-{number}.test"]}, **chain}

    def _tls(self) -> dict[str, Any]:
        certificate, key = self.identities[0].files
        return {
            "name": "tls",
            "typed_config": {
                "@type": f"{T}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": True,
                "common_tls_context": {
                    "tls_certificates": [
                        {"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}}
                    ],
                    "validation_context": {"trusted_ca": {"filename": self._roots}},
                },
            },
        }


def _as_value(tree: dict[str, Any]) -> str:
    return base64.b64encode(ParseDict(tree, Value()).SerializeToString(deterministic=True)).decode()


def _any(message: Message) -> dict[str, Any]:
    return {
        "@type": T + message.DESCRIPTOR.full_name,
        **MessageToDict(message, preserving_proto_field_name=True),
    }


def _filter(each: Filter) -> dict[str, Any]:
    return MessageToDict(each, preserving_proto_field_name=True)


def _loopback() -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": 0}}


def _router() -> dict[str, Any]:
    return {"name": "router", "typed_config": {"@type": f"{T}envoy.extensions.filters.http.router.v3.Router"}}


def _answer_route(match: dict[str, Any], status: int = 200) -> dict[str, Any]:
    return {"match": {"prefix": "/", **match}, "direct_response": {"status": status}}


def _to_metadata(header: str, namespace: str, key: str, kind: str) -> dict[str, Any]:
    encode = {"encode": "BASE64"} if kind == "PROTOBUF_VALUE" else {}
    rule = {"metadata_namespace": namespace, "key": key, "type": kind, **encode}
    return {"header": header, "on_header_present": rule}


def _manager(name: str, routes: list[dict[str, Any]], filters: list[dict[str, Any]]) -> dict[str, Any]:
    headers = [
        {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for key, value in TOLD.items()
    ]
    every = {
        "status_code_filter": {"comparison": {"op": "GE", "value": {"default_value": 0, "runtime_key": "x"}}}
    }
    return {
        "name": name,
        "typed_config": {
            "@type": f"{T}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "normalize_path": True,
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
            "local_reply_config": {"mappers": [{"filter": every, "headers_to_add": headers}]},
            "http_filters": filters,
        },
    }


def _cluster(name: str, path: str) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"pipe": {"path": path}}}}
    return {
        "name": name,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
