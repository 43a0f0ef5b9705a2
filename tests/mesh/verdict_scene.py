"""An Envoy with the filters by which sidecars ask Mixer, the script of kept verdicts among them, and a Mixer of one
page that counts."""

import http.client
import json
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgspec
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.expression.tracing import Reference
from proa.core.mixer.asked import Asked, read_check
from proa.core.mixer.context import ON_FAILURE, read_context
from proa.core.mixer.context import PORT as CONTEXT_PORT
from proa.core.mixer.needs import Charged, Checked
from proa.core.mixer.rate_limits.answers import answer as answer_charges
from proa.core.mixer.rate_limits.reading import read_entries
from proa.core.mixer.rate_limits.request_message import read_request
from proa.core.mixer.reported import PEER_FORMAT, PEER_TAG
from proa.core.mixer.verdict.keys import Facts, key_of
from proa.core.mixer.verdict.script import Told, script
from proa.core.mixer.verdict.shapes import Shape, shape_of
from proa.core.model.check_providers import CheckProvider
from proa.core.model.names import cluster_name
from proa.core.pilot.translate.authorization.asking import ask_for_request
from proa.core.pilot.translate.encode import pack
from proa.core.pilot.translate.filters.mixer.checks import KEPT, check_filters
from proa.core.pilot.translate.filters.mixer.cluster import MIXER_CLUSTER, QUOTA_CLUSTER
from proa.core.pilot.translate.filters.mixer.place import mixer_name
from proa.core.pilot.translate.filters.mixer.quotas import quota_filters
from proa.home import Home
from proa.node.options import NodeOptions
from proa.node.run import find_envoy
from proa.servers.mixer.checks import workload_name
from proa.testing.authorization.arena import CALLERS, Identity, make_identities

T = "type.googleapis.com/envoy.extensions."
READY_S = 60.0
RATE_LIMITS = "envoy.service.ratelimit.v3.RateLimitService"
RULES = "rules"
PORT = 8080
PROVIDER = "provider"
CLAIMS = {"iss": "issuer", "sub": "ann", "aud": ["shop", "bank"], "groups": ["a"], "level": 3}


class Plan(msgspec.Struct, kw_only=True):
    """How the Mixer of the test answers: by `judge` a status, from `references`. `opens` instead of `judge` for the
    rules that fail open; `rules` is the digest of those that it has."""

    references: tuple[str, ...]
    judge: Callable[[Facts], int] = lambda facts: 200
    opens: Callable[[Facts], int] | None = None
    ttl_ms: int = 600_000
    uses: int = -1
    rules: str = RULES


class CountingMixer:
    """Answers checks and counts them."""

    def __init__(self) -> None:
        self.plan = Plan(references=())
        self.calls = 0
        self.by_policy: Counter[str] = Counter()
        """Calls; those of a program that a CUSTOM policy asks are under its name."""
        self.asked: list[Asked] = []
        self.charged: list[tuple[Asked, str]] = []
        """What was told for quotas, with what tells a request from others."""
        self.entries: list[HTTPAccessLogEntry] = []
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        handler = grpc.unary_unary_rpc_method_handler(
            self._check, CheckRequest.FromString, CheckResponse.SerializeToString
        )
        logs = grpc.stream_unary_rpc_method_handler(
            self._log, StreamAccessLogsMessage.FromString, StreamAccessLogsResponse.SerializeToString
        )
        charges = grpc.unary_unary_rpc_method_handler(self._charge)
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(
                    "envoy.service.auth.v3.Authorization", {"Check": handler}
                ),
                grpc.method_handlers_generic_handler(
                    "envoy.service.accesslog.v3.AccessLogService", {"StreamAccessLogs": logs}
                ),
                grpc.method_handlers_generic_handler(RATE_LIMITS, {"ShouldRateLimit": charges}),
            )
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _charge(self, body: bytes, context: object) -> bytes:
        """All are within their quotas."""
        self.charged += [read_entries(each.entries) for each in read_request(body).descriptors]
        return answer_charges(()).SerializeToString()

    def _log(self, messages: Iterator[StreamAccessLogsMessage], context: object) -> StreamAccessLogsResponse:
        try:
            for message in messages:
                self.entries += message.http_logs.log_entry
        except grpc.RpcError:
            pass  # the scene is over
        return StreamAccessLogsResponse()

    def _check(self, request: CheckRequest, context: grpc.ServicerContext) -> CheckResponse:
        asked = read_check(request, workload_name)
        facts = asked.facts
        said = read_context({key: str(value) for key, value in context.invocation_metadata()})
        policy: FailurePolicy = "open" if said.get(ON_FAILURE) == "open" else "closed"
        with self._lock:
            self.by_policy[said.get(ON_FAILURE, PROVIDER)] += 1
            if ON_FAILURE in said:
                assert said[CONTEXT_PORT] == str(PORT)
                self.calls += 1
                self.asked.append(asked)
        judge = self.plan.judge if policy == "closed" else self.plan.opens or self.plan.judge
        code = judge(facts) if ON_FAILURE in said else 200
        pairs = [each.removesuffix("]").partition("[") for each in self.plan.references]
        shape = shape_of(Reference(name, key if bracket else None, "exact") for name, bracket, key in pairs)
        assert isinstance(shape, Shape)
        key = key_of(shape, facts)
        response = CheckResponse()
        if code == 200:
            response.ok_response.SetInParent()
        else:
            response.status.code = grpc.StatusCode.PERMISSION_DENIED.value[0]
            response.denied_response.status.code = code  # type: ignore[assignment]
            response.denied_response.body = "not today"
        if key is not None:
            told = Told(
                shape=shape,
                key=key,
                ttl_ms=self.plan.ttl_ms,
                uses=self.plan.uses,
                code=code,
                grpc=7,
                body="not today",
                rule="default/deny",
            )
            # The program of a CUSTOM policy may say what it likes; of the rules it knows nothing.
            metadata = told.metadata(policy, self.plan.rules if ON_FAILURE in said else "other")
            response.dynamic_metadata.update(
                metadata if ON_FAILURE in said else {**metadata, **metadata[policy]}
            )
        return response


class Scene(msgspec.Struct, kw_only=True):
    mixer: CountingMixer
    port: int
    tls_port: int
    admin: int
    identities: list[Identity]

    def connection(self) -> closing[http.client.HTTPConnection]:
        return closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=READY_S))

    def tls_connection(
        self, identity: Identity | None, name: str | None = None
    ) -> closing[http.client.HTTPConnection]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if identity is not None:
            context.load_cert_chain(*identity.files)
        raw = socket.create_connection(("127.0.0.1", self.tls_port), timeout=READY_S)
        connection = http.client.HTTPConnection("127.0.0.1", self.tls_port, timeout=READY_S)
        connection.sock = context.wrap_socket(raw, server_hostname=name)
        return closing(connection)

    def stat(self, name: str) -> int:
        text = _page(self.admin, f"/stats?filter={name}").decode()
        return sum(int(line.rpartition(": ")[2]) for line in text.splitlines())


def ask(
    connection: http.client.HTTPConnection, path: str = "/", headers: Sequence[tuple[str, str]] = ()
) -> http.client.HTTPResponse:
    connection.putrequest("GET", path)
    for name, value in headers:
        connection.putheader(name, value.encode())
    connection.endheaders()
    response = connection.getresponse()
    response.body = response.read()  # type: ignore[attr-defined]
    return response


@contextmanager
def scene(
    folder: Path,
    *,
    source: str | None = None,
    workers: int = 1,
    entries: int = 5000,
    policies: tuple[FailurePolicy, ...] = ("closed",),
    deadline_ms: int = 10_000,
    has_provider: bool = False,
    away: Sequence[int] = (),
    charged: tuple[Charged, ...] = (),
) -> Iterator[Scene]:
    """`source` in place of the script; `has_provider`: a CUSTOM policy's program is asked before Mixer is; `away`:
    ports of other control planes, where nobody listens."""
    mixer = CountingMixer()
    identities, roots = make_identities(folder, CALLERS)
    source = source or script(policies, RULES, entries=entries)
    filters = _filters(policies, source, deadline_ms, charged)
    if has_provider:
        provider = CheckProvider(name=PROVIDER, host=PROVIDER, port=1, is_grpc=True)
        filters.insert(1, _written(PROVIDER, ask_for_request(provider, "nobody")))
    config = _bootstrap((*away, mixer.port), identities[0], roots, _manager(filters, is_routed=bool(charged)))
    (folder / "envoy.json").write_text(json.dumps(config))
    addresses = folder / "admin"
    argv = [
        str(find_envoy(NodeOptions(home=Home(folder)))),
        *("-c", str(folder / "envoy.json"), "--use-dynamic-base-id", "--concurrency", str(workers)),
        *("--admin-address-path", str(addresses), "--log-level", "warn"),
    ]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        admin = _admin_port(addresses, process, folder / "envoy.log")
        listeners = _json(admin, "/listeners?format=json")["listener_statuses"]
        ports = {each["name"]: each["local_address"]["socket_address"]["port_value"] for each in listeners}
        yield Scene(
            mixer=mixer, port=ports["plain"], tls_port=ports["tls"], admin=admin, identities=identities
        )
    finally:
        process.terminate()
        process.wait(READY_S)
        mixer.stop()


def _admin_port(file: Path, process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists() and ":" in (text := file.read_text()):
            port = int(text.rpartition(":")[2])
            if _json(port, "/server_info").get("state") == "LIVE":
                return port
        time.sleep(0.02)
    raise AssertionError(f"Envoy did not start: {log.read_text()[-2000:]}")


def _json(port: int, path: str) -> dict[str, Any]:
    try:
        return json.loads(_page(port, path))  # type: ignore[no-any-return]
    except OSError:
        return {}


def _page(port: int, path: str) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=READY_S)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


def _bootstrap(
    mixer_ports: Sequence[int], server: Identity, roots: str, manager: dict[str, Any]
) -> dict[str, Any]:
    chain = {"filters": [manager]}
    tls = {
        "name": "tls",
        "typed_config": {
            "@type": f"{T}transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": server.files[0]},
                        "private_key": {"filename": server.files[1]},
                    }
                ],
                "validation_context": {"trusted_ca": {"filename": roots}},
            },
        },
    }
    return {
        "admin": {"address": _address(0)},
        "static_resources": {
            "listeners": [
                {"name": "plain", "address": _address(0), "filter_chains": [chain]},
                {
                    "name": "tls",
                    "address": _address(0),
                    "listener_filters": [
                        {
                            "name": "inspector",
                            "typed_config": {"@type": f"{T}filters.listener.tls_inspector.v3.TlsInspector"},
                        }
                    ],
                    "filter_chains": [{**chain, "transport_socket": tls}],
                },
            ],
            "clusters": [
                _cluster(name, *mixer_ports)
                for name in (MIXER_CLUSTER, QUOTA_CLUSTER, cluster_name("outbound", 1, "", PROVIDER))
            ],
        },
    }


def _cluster(name: str, *ports: int) -> dict[str, Any]:
    return {
        "name": name,
        "type": "STATIC",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{T}upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}} for port in ports]}],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _filters(
    policies: Sequence[FailurePolicy], source: str, deadline_ms: int, charged: tuple[Charged, ...]
) -> list[dict[str, Any]]:
    """As they stand in a sidecar: those that ask in one place."""
    checks = [Checked(policy=policy, rules=(), deadline_ms=deadline_ms, digest=RULES) for policy in policies]
    held = [MessageToDict(each) for each in check_filters(checks, PORT, has_peer=True)]
    assert [each["name"] for each in held] == [KEPT, *(f"proa.mixer.{policy}" for policy in policies)]
    held[0]["typedConfig"]["defaultSourceCode"] = {"inlineString": source}
    held += [MessageToDict(each) for each in quota_filters(charged, PORT, has_peer=True)]
    place = {
        "@type": f"{T}filters.http.filter_chain.v3.FilterChainConfig",
        "default_filter_chain": {"filters": held},
    }
    return [
        _filter(
            "http.set_metadata.v3.Config",
            metadata=[{"metadata_namespace": "envoy.filters.http.jwt_authn", "value": {"payload": CLAIMS}}],
        ),
        {"name": mixer_name(PORT, has_peer=True), "typed_config": place},
        _filter("http.router.v3.Router"),
    ]


def _written(name: str, config: Message) -> dict[str, Any]:
    return {"name": name, "typed_config": MessageToDict(pack(config))}


def _manager(filters: list[dict[str, Any]], *, is_routed: bool) -> dict[str, Any]:
    """Nobody is charged for what a route answers itself. Where requests are to go somewhere they go to Mixer, which
    does not know what to make of them."""
    action = {"route": {"cluster": MIXER_CLUSTER}} if is_routed else {"direct_response": {"status": 200}}
    return {
        "name": "hcm",
        "typed_config": {
            "@type": f"{T}filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "scene",
            "access_log": [
                {
                    "name": "reports",
                    "typed_config": {
                        "@type": f"{T}access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
                        "common_config": {
                            "log_name": "reports",
                            "transport_api_version": "V3",
                            "grpc_service": {"envoy_grpc": {"cluster_name": MIXER_CLUSTER}},
                            "buffer_flush_interval": "0.05s",
                            "custom_tags": [{"tag": PEER_TAG, "value": PEER_FORMAT}],
                        },
                        "additional_request_headers_to_log": ["x-a"],
                        "additional_response_headers_to_log": ["content-type"],
                    },
                }
            ],
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, **action}],
                    }
                ]
            },
            "http_filters": filters,
        },
    }


def _filter(kind: str, **fields: object) -> dict[str, Any]:
    name = f"envoy.filters.http.{kind.split('.')[1]}"
    return {"name": name, "typed_config": {"@type": f"{T}filters.{kind}", **fields}}
