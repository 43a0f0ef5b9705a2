"""Meshes of given sizes with real streams, and work counted where it is done: bytecodes, builders, streams written to.

A count is the same on every machine and under any load, so a law may be held to it where a time could only be hoped
for. Loops that run inside C (joining two sets, sorting) count as one step; they are the cheap ones.
"""

import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

import msgspec

from proa.control_plane.proxies import Proxies, ProxyStream
from proa.core.config import Config
from proa.core.model.names import WorkloadId, cluster_name, service_hostname
from proa.core.model.snapshot import Change
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.wire import decode_response, encode_request
from proa.core.sidecar.session import Health, Registration
from proa.testing.builders import Mesh, change_of, config, contribution, registered_port, registration

PORT = 9080


class Steps:
    """How many bytecodes ran within, in the functions that were called within."""

    def __init__(self) -> None:
        self.count = 0
        self._before: Callable[..., Any] | None = None

    def __enter__(self) -> "Steps":
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        self.count += event == "opcode"
        return self._trace


class Size(msgspec.Struct, frozen=True, kw_only=True):
    services: int = 12
    proxies: int = 8
    replicas: int = 2


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one change cost: bytecodes, calls of each builder, and the streams that were written to."""

    steps: int
    built: dict[str, int]
    streams: int


class Grown:
    """A mesh of that size in the namespace `default`, whose proxies hold all they asked for."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.mesh = Mesh()
        self.world = self.mesh.world
        servers = (
            replica(service, number) for service in range(size.services) for number in range(size.replicas)
        )
        clients = (registration(f"proxy-{number}") for number in range(size.proxies))
        self.mesh.place(*servers, *clients)
        self.proxies = Proxies(self.world, clock=lambda: 0.0)
        self.streams = [self._connect(f"proxy-{number}") for number in range(size.proxies)]

    def _connect(self, name: str) -> ProxyStream:
        stream = self.proxies.open(WorkloadId("default", name), "node")
        hosts = (f"svc-{number}" for number in range(self.size.services))
        clusters = [cluster_name("outbound", PORT, "", service_hostname(host, "default")) for host in hosts]
        for kind, names in (
            (ResourceType.CLUSTER, ()),
            (ResourceType.ENDPOINT, clusters),
            (ResourceType.LISTENER, ()),
            (ResourceType.ROUTE, ("http_proxy", str(PORT))),
        ):
            self.proxies.received(stream, encode_request(kind, subscribe=names))
            self._settle(stream)
        return stream

    def _settle(self, stream: ProxyStream) -> bool:
        """ACK until nothing more comes; whether anything came."""
        came = False
        while bodies := stream.take():
            came = True
            for body in bodies:
                response = decode_response(body)
                self.proxies.received(stream, encode_request(response.type, nonce=response.nonce))
        return came

    def work_of(self, change: Change) -> Work:
        """The answers of the proxies are not counted: they cost each who has something to answer."""
        self.world.memo.built.clear()
        with Steps() as steps:
            self.world.fold_in([change])
        written = sum([self._settle(stream) for stream in self.streams])
        return Work(steps=steps.count, built=dict(self.world.memo.built), streams=written)

    def distinct_resources(self) -> int:
        """Resources in memory, each counted once however many proxies hold it."""
        sources = [stream.source for stream in self.streams]
        return len(
            {
                id(resource)
                for source in sources
                for bundle in (source.own.resources, source.shared.resources)
                for resource in bundle.values()
            }
        )


def replica(service: int, number: int, health: Health = "HEALTHY") -> Registration:
    port = registered_port(f"svc-{service}", PORT, health=health)
    return registration(f"svc-{service}-{number}", port, address=f"10.{number}.0.1")


def one_endpoint_ill() -> Change:
    return Change(contributions=(contribution(replica(3, 0, "UNHEALTHY")),))


def a_service_of_its_own() -> Change:
    """One that only its own namespace may see."""
    return change_of([own_service("elsewhere")])


def own_service(namespace: str) -> Config:
    return config(
        "ServiceEntry",
        "own",
        {
            "hosts": [service_hostname("own", namespace)],
            "exportTo": ["."],
            "resolution": "STATIC",
            "ports": [{"number": PORT, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": "10.200.0.1"}],
        },
        namespace=namespace,
    )


def everything() -> Change:
    """A setting of every cluster."""
    spec = {
        "host": "*.svc.cluster.local",
        "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 7}}},
    }
    return change_of([config("DestinationRule", "all", spec, namespace="istio-system")])  # type: ignore[arg-type]  # Json is invariant
