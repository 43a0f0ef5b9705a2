"""One Envoy with the product's bootstrap and a workload's own resources, of which a test keeps some back or spoils
some: how enforcement points are broken on purpose.

A test's server of delta ADS stands in for the node agent; its protocol machine is the product's. How long a listener
waits for what never comes is cut from fifteen seconds to one; for what does come it waits as long as a busy machine
takes. Nothing else is changed.
"""

import contextlib
import http.client
import queue
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar
from urllib.parse import quote

import grpc
import msgspec
from envoy.config.core.v3.config_source_pb2 import ConfigSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from proa.core.auth.ca import private_pem
from proa.core.auth.csr import build_csr
from proa.core.auth.template import CertificateTemplate, workload_leaf
from proa.core.model.digest import digest_bytes
from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.actions import Acked, Rejected, Send
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.sidecar.bootstrap import SidecarProcess, bootstrap_json, command_line
from proa.core.sidecar.secrets import build_identity, build_roots
from proa.home import Home
from proa.node.options import NodeOptions
from proa.node.run import find_envoy
from proa.testing.builders import Mesh, registered_port, registration
from tests.mesh.programs import until
from tests.mesh.tiny_control_plane import TRUST_DOMAIN, TinyCa, new_key, new_serial
from tests.ports import held_ports

M = TypeVar("M", bound=Message)
Key = tuple[ResourceType, str]
LISTENER: Final = ResourceType.LISTENER
PATIENCE_S: Final = 1
ADDRESS: Final = "127.0.0.1"


class Identity:
    """A workload's certificate, or that of `template`, for Envoy and for a client."""

    def __init__(self, ca: TinyCa, name: str, template: CertificateTemplate | None = None) -> None:
        key = new_key()
        leaf = template or workload_leaf(
            TRUST_DOMAIN, WorkloadId("default", name), name, new_serial(), ca.validity
        )
        self.key_pem, self.chain_pem = private_pem(key), ca.sign(build_csr(key, leaf.uri), leaf)

    def context(self, folder: Path, alpn: str) -> ssl.SSLContext:
        """That of a client which believes every server."""
        pair = folder / "client.pem"
        pair.write_text(self.key_pem + self.chain_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([alpn])
        context.load_cert_chain(pair)
        return context


class LoneEnvoy:
    """`web` of `mesh`, with a certificate of `ca`. `instead` has what is told in place of a resource: another one, or
    None for one that never comes. The agent's side is `change`, `acked` and `rejected`."""

    def __init__(
        self, folder: Path, mesh: Mesh, ca: TinyCa, instead: Mapping[Key, Resource | None] | None = None
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.acked: dict[Key, str] = {}
        self.rejected: dict[str, str] = {}
        self._source = mesh.source("web")
        mine = Identity(ca, "web")
        self._instead: dict[Key, Resource | None] = {
            (each.type, each.name): each
            for each in (
                build_identity(mine.key_pem, mine.chain_pem),
                build_roots({TRUST_DOMAIN: ca.root.pem}),
            )
        }
        self._instead.update(instead or {})
        self._events: queue.Queue[bytes | Key | None] = queue.Queue()
        self._stack = contextlib.ExitStack()

    # What Envoy is told

    def lookup(self, kind: ResourceType, name: str) -> Resource | None:
        found = (
            self._instead[kind, name] if (kind, name) in self._instead else self._source.lookup(kind, name)
        )
        if found is None or kind is not LISTENER:
            return found
        return hurried(found, {name for (_, name), told in self._instead.items() if told is None})

    def names(self, kind: ResourceType) -> Iterable[str]:
        """Of clusters only those in which its programs are: the others ask for secrets as well, and Envoy tells those
        who wait for one secret in different ways only once."""
        return [each for each in self._source.names(kind) if kind is LISTENER or each.startswith("inbound|")]

    def knows(self, kind: ResourceType, name: str) -> bool:
        return self._instead.get((kind, name), True) is not None

    def knows_all(self, kind: ResourceType) -> bool:
        return True

    def change(self, resource: Resource) -> None:
        """Tells another value while it runs."""
        self._instead[resource.type, resource.name] = resource
        self._events.put((resource.type, resource.name))

    def until_acked(self, kind: ResourceType, name: str) -> None:
        wanted = self.lookup(kind, name)
        assert wanted is not None
        until(lambda: self.acked.get((kind, name)) == wanted.digest, f"{name} is taken; {self.rejected}")

    # Its life

    def __enter__(self) -> "LoneEnvoy":
        path = self.folder / "ads"
        server = grpc.server(ThreadPoolExecutor(4))
        handler = grpc.stream_stream_rpc_method_handler(self._delta)
        name = "envoy.service.discovery.v3.AggregatedDiscoveryService"
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(name, {"DeltaAggregatedResources": handler}),)
        )
        server.add_insecure_port(f"unix:{path}")
        server.start()
        self._stack.callback(lambda: server.stop(0).wait())
        self._stack.callback(self._events.put, None)
        process = SidecarProcess(
            id=WorkloadId("default", "web"),
            kind="sidecar",
            account="web",
            xds_socket=str(path),
            admin_socket=str(self.folder / "admin"),
            binary=str(find_envoy(NodeOptions(home=Home("/nonexistent")))),
            bootstrap_file=str(self.folder / "bootstrap.json"),
        )
        Path(process.bootstrap_file).write_text(bootstrap_json(process))
        log = self._stack.enter_context((self.folder / "log").open("w"))
        envoy = subprocess.Popen(command_line(process), stdout=log, stderr=subprocess.STDOUT)
        self._stack.callback(envoy.wait, 20)
        self._stack.callback(envoy.terminate)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print((self.folder / "log").read_text()[-4000:], *self.rejected.items(), self.acked, sep="\n")
        self._stack.close()

    def _delta(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        machine = DeltaServer(self)

        def read() -> None:
            with contextlib.suppress(grpc.RpcError, Exception):
                for body in requests:
                    self._events.put(body)

        threading.Thread(target=read, daemon=True).start()
        while (event := self._events.get()) is not None:
            actions = machine.receive(event) if isinstance(event, bytes) else machine.offer([event])
            for action in actions:
                match action:
                    case Send(body=body):
                        yield body
                    case Acked(type=kind, name=name, version=version):
                        self.acked[kind, name] = version
                    case Rejected():
                        self.rejected[action.name] = action.error
                    case _:
                        pass

    # What comes of a call

    def status(self, context: ssl.SSLContext, port: int) -> int:
        """Of one request over mesh TLS; 0 when there is no answer to it."""
        answer = self.said(context, port, b"GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n")
        return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0

    def said(self, context: ssl.SSLContext, port: int, text: bytes) -> bytes:
        try:
            with (
                socket.create_connection((ADDRESS, port), timeout=20) as plain,
                context.wrap_socket(plain, server_hostname="web") as connection,
            ):
                connection.sendall(text)
                return connection.recv(4096)
        except (ConnectionError, ssl.SSLError):
            return b""

    def counters(self, pattern: str) -> dict[str, int]:
        """Those that are not 0, of whose names the regex finds a part."""
        with contextlib.closing(http.client.HTTPConnection("envoy", timeout=20)) as admin:
            admin.sock = socket.socket(socket.AF_UNIX)
            admin.sock.connect(str(self.folder / "admin"))
            admin.request("GET", f"/stats?usedonly&type=Counters&filter={quote(pattern)}")
            lines = admin.getresponse().read().decode().splitlines()
        return {name: int(value) for name, _, value in (line.rpartition(": ") for line in lines)}

    def is_open(self, port: int) -> bool:
        """Whether anybody listens there."""
        with contextlib.suppress(OSError), socket.create_connection((ADDRESS, port), timeout=5):
            return True
        return False


class Web:
    """A mesh with the workload `web`, whose ports (service port -> protocol) lead to `program`, and where its sidecar
    takes each of them, until the block is left."""

    def __init__(self, program: int, ports: Mapping[int, str], policies: str) -> None:
        self._stack = contextlib.ExitStack()
        self.at = dict(zip(ports, self._stack.enter_context(held_ports(len(ports))), strict=True))
        registered = [
            msgspec.structs.replace(
                registered_port("web", port, protocol=protocol, sidecar_port=self.at[port]), app_port=program
            )
            for port, protocol in ports.items()
        ]
        self.mesh = Mesh(registration("web", *registered, address=ADDRESS, outbound=False))
        self.mesh.apply(policies)

    def __enter__(self) -> "Web":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def told(self, kind: ResourceType, name: str) -> Resource:
        found = self.mesh.source("web").lookup(kind, name)
        assert found is not None, name
        return found

    def extension(self, name: str, config: AnyMessage) -> Resource:
        """Another configuration under a filter's name."""
        whole = TypedExtensionConfig(name=name, typed_config=config)
        return packed(self.told(ResourceType.EXTENSION, name), whole)


@contextlib.contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    """A program in this process; its port."""
    with socketserver.ThreadingTCPServer((ADDRESS, 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


# Resources


def packed(resource: Resource, message: Message) -> Resource:
    """Another body for a resource."""
    body = AnyMessage()
    body.Pack(message, deterministic=True)
    data = body.SerializeToString(deterministic=True)
    return Resource(type=resource.type, name=resource.name, body=data, digest=digest_bytes(data))


def unpacked(body: AnyMessage, kind: type[M]) -> M:
    message = kind()
    assert body.Unpack(message), body.type_url
    return message


def hurried(listener: Resource, missing: Container[str]) -> Resource:
    """The same listener, which soon gives up what is `missing`, and never what is not."""

    def hurry(source: ConfigSource, name: str) -> None:
        source.initial_fetch_timeout.FromSeconds(PATIENCE_S if name in missing else 0)

    read = unpacked(AnyMessage.FromString(listener.body), Listener)
    for chain in read.filter_chains:
        for each in chain.filters:
            if each.HasField("config_discovery"):
                hurry(each.config_discovery.config_source, each.name)
            elif each.typed_config.Is(HttpConnectionManager.DESCRIPTOR):
                manager = unpacked(each.typed_config, HttpConnectionManager)
                for place in manager.http_filters:
                    if place.HasField("config_discovery"):
                        hurry(place.config_discovery.config_source, place.name)
                each.typed_config.Pack(manager)
        if chain.transport_socket.typed_config.Is(DownstreamTlsContext.DESCRIPTOR):
            context = unpacked(chain.transport_socket.typed_config, DownstreamTlsContext)
            common = context.common_tls_context
            roots = common.combined_validation_context.validation_context_sds_secret_config
            for secret in (*common.tls_certificate_sds_secret_configs, roots):
                hurry(secret.sds_config, secret.name)
            chain.transport_socket.typed_config.Pack(context)
    return packed(listener, read)
