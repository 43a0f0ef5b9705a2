"""The peer: an ADS server as one writes it first, with grpcio and protobuf objects and nothing else.

Every change makes it build every endpoint set anew, for every stream, and send them all; nothing is cached, shared
or compared. It hears of changes by the same session messages and speaks delta xDS over the same mTLS, so that the
same swarm measures it. Run as a program with a file of its keys.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address, SocketAddress
from envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from envoy.config.core.v3.health_check_pb2 import HealthStatus
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, RouteAction, RouteMatch, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    Resource,
)
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt32Value

from proa.core.model.names import cluster_name, service_hostname
from proa.core.pilot.resource import BY_URL, ResourceType
from proa.core.sidecar.session import NodeState, RegisteredPort, Registration, SessionState, decode, encode

_ADS = ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)
Member = tuple[Registration, RegisteredPort]


class NaiveSpec(msgspec.Struct, frozen=True, kw_only=True):
    address: str
    key_pem: str
    chain_pem: str
    root_pem: str


class _Stream:
    """gRPC takes one write at a time."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.writing = asyncio.Lock()


class NaiveServer:
    """One loop pushes; changes that come while it is at it share the next round. (With a task per stream every
    message of a burst costs a round of its own, and a second of twenty changes takes many to work off.)"""

    def __init__(self) -> None:
        self.nodes: dict[str, tuple[Registration, ...]] = {}
        self.version = 0
        self._streams: set[_Stream] = set()
        self._changed = asyncio.Event()

    async def session(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for body in requests:
            state = decode(body, NodeState)
            for registration in state.workloads:
                self.nodes[registration.node] = state.workloads
            if any(registration.ports for registration in state.workloads):  # else nobody's endpoints differ
                self.version += 1
                self._changed.set()
            accepted = tuple(registration.id for registration in state.workloads)
            yield encode(SessionState(version=state.version, accepted=accepted))

    async def stream(self, requests: AsyncIterator[DeltaDiscoveryRequest], context: Any) -> None:
        stream = _Stream(context)
        self._streams.add(stream)
        try:
            async for request in requests:
                if not request.response_nonce and request.resource_names_subscribe:
                    await self._send(stream, BY_URL[request.type_url])
        finally:
            self._streams.discard(stream)

    async def push(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for stream in tuple(self._streams):
                await self._send(stream, ResourceType.ENDPOINT)

    async def _send(self, stream: _Stream, kind: ResourceType) -> None:
        async with stream.writing:
            await stream.context.write(self._response(kind))

    def _response(self, kind: ResourceType) -> DeltaDiscoveryResponse:
        response = DeltaDiscoveryResponse(type_url=kind.url, nonce=str(self.version))
        for name, message in self._build(kind).items():
            packed = AnyMessage()
            packed.Pack(message)
            response.resources.append(Resource(name=name, version=str(self.version), resource=packed))
        return response

    def _members(self) -> dict[str, list[Member]]:
        found: dict[str, list[Member]] = {}
        for workloads in self.nodes.values():
            for registration in workloads:
                for port in registration.ports:
                    host = service_hostname(port.service, registration.id.namespace)
                    name = cluster_name("outbound", port.service_port, "", host)
                    found.setdefault(name, []).append((registration, port))
        return found

    def _build(self, kind: ResourceType) -> dict[str, Message]:
        match kind:
            case ResourceType.CLUSTER:
                return {name: _cluster(name) for name in self._members()}
            case ResourceType.ENDPOINT:
                return {name: _endpoints(name, members) for name, members in self._members().items()}
            case ResourceType.LISTENER:
                return {"virtualOutbound": Listener(name="virtualOutbound")}
            case ResourceType.ROUTE:
                return {"http_proxy": _routes(tuple(self._members()))}
        return {}


def _routes(clusters: tuple[str, ...]) -> RouteConfiguration:
    return RouteConfiguration(
        name="http_proxy",
        virtual_hosts=[
            VirtualHost(
                name=name,
                domains=[name.rpartition("|")[2]],
                routes=[Route(match=RouteMatch(prefix="/"), route=RouteAction(cluster=name))],
            )
            for name in clusters
        ],
    )


def _cluster(name: str) -> Cluster:
    eds = Cluster.EdsClusterConfig(eds_config=_ADS, service_name=name)
    return Cluster(name=name, type=Cluster.EDS, eds_cluster_config=eds)


def _endpoints(name: str, members: list[Member]) -> ClusterLoadAssignment:
    return ClusterLoadAssignment(
        cluster_name=name,
        endpoints=[LocalityLbEndpoints(lb_endpoints=[_endpoint(*member) for member in members])],
    )


def _endpoint(registration: Registration, port: RegisteredPort) -> LbEndpoint:
    address = SocketAddress(address=registration.address, port_value=port.sidecar_port)
    return LbEndpoint(
        endpoint=Endpoint(address=Address(socket_address=address)),
        health_status=HealthStatus.HEALTHY if port.health == "HEALTHY" else HealthStatus.UNHEALTHY,
        load_balancing_weight=UInt32Value(value=registration.weight),
    )


async def main(spec: NaiveSpec) -> None:
    naive, server = NaiveServer(), grpc.aio.server()
    ads = grpc.stream_stream_rpc_method_handler(
        naive.stream,
        request_deserializer=DeltaDiscoveryRequest.FromString,
        response_serializer=DeltaDiscoveryResponse.SerializeToString,
    )
    session = grpc.stream_stream_rpc_method_handler(naive.session)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "envoy.service.discovery.v3.AggregatedDiscoveryService", {"DeltaAggregatedResources": ads}
            ),
            grpc.method_handlers_generic_handler("proa.node.v1.Node", {"Session": session}),
        )
    )
    credentials = grpc.ssl_server_credentials(
        [(spec.key_pem.encode(), spec.chain_pem.encode())], spec.root_pem.encode(), require_client_auth=True
    )
    server.add_secure_port(spec.address, credentials)
    await server.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(naive.push(), name="push")
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=NaiveSpec)))
