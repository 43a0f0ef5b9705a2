"""One Envoy that holds many expressions at once: a route for the value of each, and one for it as a condition.

The value comes back in a header by `%CEL(...)%`, the condition as 403 from an RBAC matcher: the two forms in which
expressions reach a proxy. Chains of filters have a route each, too.
"""

import http.client
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPMessage
from pathlib import Path

import msgspec
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from google.protobuf.json_format import MessageToDict

from proa.core.attributes.value_types import Bag, Value
from proa.core.expression.cel import Literal, cel_text, choice, infix, parsed
from proa.core.expression.envoy_form import EnvoyForm
from proa.core.mixer.asked import JWT, Asked, Place, RequestBag
from proa.core.pilot.filter_chain_message import FILTER_CHAIN_URL, filter_chain
from proa.core.pilot.translate.encode import pack
from proa.home import Home
from proa.node.options import NodeOptions
from proa.node.run import find_envoy
from proa.testing.authorization.arena import CALLERS, Identity, make_identities

T = "type.googleapis.com/envoy."
MATCHER = "type.googleapis.com/xds.type.matcher.v3."
READY_S = 60.0
LISTENERS = ("plain", "secured")
SERVER = 2
# What a token said, at the listener without TLS: stands where the JWT filter leaves it.
CLAIMS: dict[str, object] = {"sub": "ann", "azp": "k", "k": "a", "10s": 5.0, "x-y": ["a"]}


def principal(number: int) -> str:
    domain, workload, account = CALLERS[number]
    return f"{domain}/ns/{workload.namespace}/sa/{account}"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it is sent; headers with small names."""

    path: str = "/"
    host: str = "a.b"
    headers: dict[str, str] = {}
    # By TLS: as one of the callers, or as -1, nobody.
    caller: int | None = None
    server_name: str = ""

    @property
    def asked(self) -> Asked:
        """What the proxy would tell Mixer."""
        scheme = "http" if self.caller is None else "https"
        pseudo = {":path": self.path, ":method": "GET", ":authority": self.host, ":scheme": scheme}
        return Asked(
            headers={**self.headers, **pseudo},
            identity=f"spiffe://{principal(self.caller)}"
            if self.caller is not None and self.caller >= 0
            else "",
            server_name=self.server_name if self.caller is not None else "",
            claims=CLAIMS if self.caller is None else {},
            nanoseconds=time.time_ns(),
        )

    def bag(self, facts: Mapping[str, Value | None]) -> Bag:
        """The attributes that Mixer makes of what the proxy would tell it, and what is known without."""
        known = {name: value for name, value in facts.items() if value is not None}
        if self.caller is not None:
            known["destination.principal"] = known["destination.user"] = principal(SERVER)
        return _Known(known, RequestBag(self.asked, Place(), None))


class _Known:
    """A bag of two: what the first has not, the second may have."""

    def __init__(self, first: Mapping[str, Value], second: Bag) -> None:
        self._first = first
        self._second = second

    def get(self, name: str, /) -> Value | None:
        found = self._first.get(name)
        return self._second.get(name) if found is None else found


class Answer(msgspec.Struct, frozen=True):
    status: int
    body: str
    headers: HTTPMessage


class Proxy(msgspec.Struct, frozen=True):
    """`secured` takes TLS, with a certificate of the caller or without."""

    port: int
    secured: int
    folder: Path
    identities: Sequence[Identity]
    roots: str
    connections: dict[tuple[int | None, str], http.client.HTTPConnection]

    def value(self, case: int, request: Sent) -> str | None:
        """As Envoy writes it; None when there is none."""
        found = self._ask(f"{case}-value", request)
        assert found.status == 200
        if found.headers["x-has-value"] != "yes":
            return None
        # Python reads headers byte by byte.
        return found.headers["x-value"].removeprefix("v").encode("latin-1").decode()

    def is_met(self, case: int, request: Sent) -> bool:
        found = self._ask(f"{case}-condition", request)
        assert found.status in (200, 403)
        # A refusal of gRPC is a status of its own.
        return found.status == 403 or found.headers["grpc-status"] == "7"

    def passed(self, chain: int, request: Sent) -> Answer:
        """What the filters of a chain say to it: 200 without a body lets it pass."""
        return self._ask(f"{chain}-chain", request)

    def logged(self, request: Sent) -> list[str]:
        """What the access log says of one more request."""
        log = self.folder / "access.log"
        before = log.read_text()
        self._ask("logged", request)
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if (line := log.read_text().removeprefix(before)).endswith("\n"):
                return line.removesuffix("\n").split("|")
            time.sleep(0.02)
        raise TimeoutError("nothing was logged")

    def told_last(self) -> list[str]:
        """What the access log says of the last request that it tells of, once it tells of all."""
        told = self.logged(Sent())
        return (self.folder / "access.log").read_text().splitlines()[-2].split("|") if told else []

    def _connection(self, request: Sent) -> http.client.HTTPConnection:
        """One for all requests of its kind: handshakes cost more than requests."""
        key = (request.caller, request.server_name)
        if key not in self.connections:
            self.connections[key] = self._connected(request)
        return self.connections[key]

    def _connected(self, request: Sent) -> http.client.HTTPConnection:
        if request.caller is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=READY_S)
        context = ssl.create_default_context(cafile=self.roots)
        context.check_hostname = False
        if request.caller >= 0:
            context.load_cert_chain(*self.identities[request.caller].files)
        connection = http.client.HTTPSConnection("127.0.0.1", self.secured, context=context, timeout=READY_S)
        plain = socket.create_connection(("127.0.0.1", self.secured), timeout=READY_S)
        connection.sock = context.wrap_socket(plain, server_hostname=request.server_name or None)
        return connection

    def _ask(self, case: str, request: Sent) -> Answer:
        connection = self._connection(request)
        connection.putrequest("GET", request.path, skip_host=True, skip_accept_encoding=True)
        for name, text in {"host": request.host, "x-case": case, **request.headers}.items():
            connection.putheader(name, text)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        return Answer(response.status, body.decode(), response.headers)


@contextmanager
def proxy_of(
    forms: Sequence[EnvoyForm],
    folder: Path,
    logged: Sequence[str] = (),
    chains: Sequence[Sequence[TypedExtensionConfig]] = (),
) -> Iterator[Proxy]:
    """Ready to be asked about forms and chains, by their number, and about format strings, all at once."""
    config, admin, log_file = folder / "envoy.json", folder / "admin.txt", folder / "access.log"
    log_file.touch()
    identities, roots = make_identities(folder, CALLERS)
    routes = [route for number, form in enumerate(forms) for route in _routes(number, form)]
    routes += [_through(number, chain) for number, chain in enumerate(chains)]
    config.write_text(json.dumps(_bootstrap(routes, logged, log_file, identities[SERVER], roots)))
    envoy = find_envoy(NodeOptions(home=Home(folder)))
    words = [envoy, "-c", config, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"]
    words += ["--file-flush-interval-msec", "20"]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(
            [*map(str, words), "--admin-address-path", str(admin)], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            ports = _listening(process, admin, folder)
            proxy = Proxy(ports["plain"], ports["secured"], folder, identities, roots, {})
            try:
                yield proxy
            finally:
                for connection in proxy.connections.values():
                    connection.close()
        finally:
            process.terminate()
            process.wait()


def _listening(process: subprocess.Popen[bytes], admin: Path, folder: Path) -> dict[str, int]:
    """The listeners' ports, once Envoy listens on both."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        assert process.poll() is None, (folder / "envoy.log").read_text()[-3000:]
        try:
            host, _, port = admin.read_text().rpartition(":")
            with closing(http.client.HTTPConnection(host, int(port), timeout=READY_S)) as connection:
                connection.request("GET", "/listeners?format=json")
                found = json.loads(connection.getresponse().read())
            addresses = {each["name"]: each["local_address"] for each in found["listener_statuses"]}
            return {name: int(addresses[name]["socket_address"]["port_value"]) for name in LISTENERS}
        except (OSError, ValueError, LookupError):
            time.sleep(0.02)
    raise TimeoutError("Envoy does not listen")


def _bootstrap(
    routes: Sequence[Mapping[str, object]],
    logged: Sequence[str],
    log_file: Path,
    server: Identity,
    roots: str,
) -> Mapping[str, object]:
    filters = [
        {"name": "chain", "typed_config": {"@type": FILTER_CHAIN_URL}},
        {"name": "rbac", "typed_config": {"@type": T + "extensions.filters.http.rbac.v3.RBAC"}},
        {"name": "router", "typed_config": {"@type": T + "extensions.filters.http.router.v3.Router"}},
    ]
    manager: dict[str, object] = {
        "@type": T + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "expressions",
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [*routes, _logged_route()]}]
        },
        "http_filters": filters,
    }
    if logged:
        log = {
            "@type": T + "extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(log_file),
            "log_format": {"text_format_source": {"inline_string": "|".join(logged) + "\n"}},
        }
        manager["access_log"] = [{"name": "file", "typed_config": log}]
    tls = {
        "@type": T + "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "tls_certificates": [
                {
                    "certificate_chain": {"filename": server.files[0]},
                    "private_key": {"filename": server.files[1]},
                }
            ],
            "validation_context": {"trusted_ca": {"filename": roots}},
        },
    }
    # Who asks for which name is read by it alone.
    inspector = {
        "name": "tls",
        "typed_config": {"@type": T + "extensions.filters.listener.tls_inspector.v3.TlsInspector"},
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    taken = {"metadata_namespace": JWT, "value": {"payload": CLAIMS}}
    token = {"@type": T + "extensions.filters.http.set_metadata.v3.Config", "metadata": [taken]}
    with_token = {**manager, "http_filters": [{"name": "token", "typed_config": token}, *filters]}
    plain = {"filters": [{"name": "http", "typed_config": with_token}]}
    socket_of_tls = {"name": "tls", "typed_config": tls}
    secured = {"filters": [{"name": "http", "typed_config": manager}], "transport_socket": socket_of_tls}
    listeners = [
        {"name": name, "address": address, "filter_chains": [chain], "listener_filters": [inspector]}
        for name, chain in zip(LISTENERS, (plain, secured), strict=True)
    ]
    return {"admin": {"address": address}, "static_resources": {"listeners": listeners}}


def _logged_route() -> Mapping[str, object]:
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": 404, "body": {"inline_string": "nothing"}},
        "response_headers_to_add": [{"header": {"key": "x-kind", "value": "logged"}}],
    }


def _routes(number: int, form: EnvoyForm) -> Iterator[Mapping[str, object]]:
    # Envoy writes nothing for a value that is empty, and for a failure.
    fails_too = choice(infix(form.cel, "==", form.cel), Literal("yes"), Literal("yes"))
    values = {"x-value": f"v%CEL({cel_text(form.cel)})%", "x-has-value": f"%CEL({cel_text(fails_too)})%"}
    added = [
        {"header": {"key": key, "value": value}, "keep_empty_value": True} for key, value in values.items()
    ]
    yield {**_match(f"{number}-value"), "response_headers_to_add": added}
    per_route = {
        "@type": T + "extensions.filters.http.rbac.v3.RBACPerRoute",
        "rbac": {"matcher": _deny(form)},
    }
    yield {**_match(f"{number}-condition"), "typed_per_filter_config": {"rbac": per_route}}


def _through(number: int, chain: Sequence[TypedExtensionConfig]) -> Mapping[str, object]:
    if not chain:
        return _match(f"{number}-chain")
    held = MessageToDict(pack(filter_chain(chain, per_route=True)), preserving_proto_field_name=True)
    return {**_match(f"{number}-chain"), "typed_per_filter_config": {"chain": held}}


def _match(case: str) -> dict[str, object]:
    header = {"name": "x-case", "string_match": {"exact": case}}
    return {"match": {"prefix": "/", "headers": [header]}, "direct_response": {"status": 200}}


def _deny(form: EnvoyForm) -> Mapping[str, object]:
    expression = {"cel_expr_parsed": MessageToDict(parsed(form.cel), preserving_proto_field_name=True)}
    matcher = {
        "single_predicate": {
            "input": {"name": "request", "typed_config": {"@type": MATCHER + "HttpAttributesCelMatchInput"}},
            "custom_match": {
                "name": "cel",
                "typed_config": {"@type": MATCHER + "CelMatcher", "expr_match": expression},
            },
        }
    }
    return {
        "matcher_list": {"matchers": [{"predicate": matcher, "on_match": _action("DENY")}]},
        "on_no_match": _action("ALLOW"),
    }


def _action(name: str) -> Mapping[str, object]:
    config = {"@type": T + "config.rbac.v3.Action", "name": name, "action": name}
    return {"action": {"name": name, "typed_config": config}}
