"""What a node agent and the control plane say to each other: the messages, and their spelling as JSON.

Both ends import this module; nothing else spells the protocol. It decides shapes only: whether a registration
is allowed is `core.auth.grants`' business, how bytes travel is the servers'.

The session is level-triggered. Each `NodeState` is everything the node has, each `SessionState` answers one
of them completely, so a message that was lost or overtaken needs no repair: the next one says it all.

Compatibility: fields are only ever added, always with a default; a field the reader does not know is ignored.
"""

from typing import Final, Literal, TypeVar

import msgspec
from immutables import Map

from proa.core.model.maps import plain_map, typed_map
from proa.core.model.names import WorkloadId
from proa.core.sidecar.spec import HealthCheck

PROTOCOL_VERSION: Final = 1

Health = Literal["HEALTHY", "UNHEALTHY", "DRAINING", "STARTING"]
"""STARTING is served to nobody; DRAINING keeps open connections and gets no new ones."""

WorkloadKind = Literal["sidecar", "gateway", "proxyless"]
Capture = Literal["explicit", "none"]


class MessageError(ValueError):
    """Bytes from the peer that are no message of this protocol. The text says what is wrong and where."""


class RegisteredPort(msgspec.Struct, frozen=True, kw_only=True):
    """One port of one service that the workload serves.

    `service` is a bare name in the workload's own namespace. `service_port` is what clients call,
    `sidecar_port` where the node's Envoy takes that traffic (for proxyless workloads the app itself),
    `app_port` where the app listens on loopback. `health` is of this port.
    """

    service: str
    service_port: int
    name: str
    protocol: str
    app_port: int
    sidecar_port: int
    health: Health = "STARTING"


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """A TCP destination asked for with --upstream: calls to loopback:`local_port` go to `host:port`."""

    host: str
    port: int
    local_port: int


class GatewayPort(msgspec.Struct, frozen=True, kw_only=True):
    """A Gateway server's port and the one really bound (another when it is taken or below 1024). With `address` it is a
    listener of a sidecar's own instead, at exactly that place; `fault`: why it could not be had."""

    server_port: int
    bound_port: int
    address: str = ""
    fault: str = ""


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """One workload as its node describes it.

    `address` is where other nodes reach the sidecar's ports. `locality` is `region/zone/subzone`, shorter or
    empty. `outbound_port` is the explicit capture listener's, None without capture. `weight` is the share of
    this workload among the endpoints of a service. `knows_partners`: the agent serves its proxy the bundles of
    `federated` under names of their own.
    """

    id: WorkloadId
    node: str
    account: str
    kind: WorkloadKind = "sidecar"
    labels: Map[str, str] = Map()
    address: str
    network: str = ""
    locality: str = ""
    cluster: str = ""
    weight: int = 1
    ports: tuple[RegisteredPort, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    outbound_port: int | None = None
    capture: Capture = "none"
    gateway_ports: tuple[GatewayPort, ...] = ()
    metadata: Map[str, str] = Map()
    knows_partners: bool = False

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the services this workload serves, each once, sorted."""
        return tuple(sorted({port.service for port in self.ports}))


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Whatever travels on its own; `type` in its JSON says which it is."""


class NodeState(Message, frozen=True, kw_only=True, tag="node_state"):
    """Agent to control plane: everything this node runs. `version` grows with each state of one session.

    `trusts` are the digests (SHA-256 of DER) of the roots that all of the node checks peers against, the agent and
    every proxy; `uses` those under which certificates of the node are in use or on its disk, None when an agent does
    not say.
    """

    version: int
    workloads: tuple[Registration, ...] = ()
    trusts: tuple[str, ...] = ()
    uses: tuple[str, ...] | None = None
    protocol: int = PROTOCOL_VERSION


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a workload was not taken, in words for the user who started it."""

    id: WorkloadId
    reason: str


class OwnListener(msgspec.Struct, frozen=True, order=True):
    """Where a sidecar is to listen for its own program. No address: a gateway's, and the agent's to say."""

    address: str
    port: int


class WantedPorts(msgspec.Struct, frozen=True, kw_only=True):
    """The server ports that Gateway objects ask of one gateway workload; the agent binds them (or others) and
    answers with `gateway_ports` in its next registration. `listeners` are what Sidecars ask of a sidecar."""

    id: WorkloadId
    ports: tuple[int, ...]
    listeners: tuple[OwnListener, ...] = ()


class PartnerBundle(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Another mesh's trust domain, for the workloads of these namespaces. `roots_pem` is empty while nobody has its
    roots: it is then known and not believed."""

    trust_domain: str
    namespaces: tuple[str, ...]
    roots_pem: str = ""


class SessionState(Message, frozen=True, kw_only=True, tag="session_state"):
    """Control plane to agent: the answer to NodeState number `version`, complete: each of its workloads is
    either accepted or refused. Sent again with the same version when the answer changes (grant, Gateway, roots).

    `bundles` maps a trust domain to the PEM of its roots, `signing_root` is the digest of the one under which the
    control plane signs now, `servers` are the xDS addresses (`host:port`) at which there are control planes of the
    mesh; all are empty from control planes that do not say. `renew` are serials of this node's workloads that are
    revoked: whoever holds one makes a new key at once. `federated` are partners' bundles, for this node's workloads
    alone: `bundles` are believed by everybody and never hold a partner's, which an agent of before would give to all.
    """

    version: int
    accepted: tuple[WorkloadId, ...] = ()
    refused: tuple[Refusal, ...] = ()
    gateway_ports: tuple[WantedPorts, ...] = ()
    bundles: Map[str, str] = Map()
    signing_root: str = ""
    servers: tuple[str, ...] = ()
    renew: tuple[str, ...] = ()
    federated: tuple[PartnerBundle, ...] = ()
    protocol: int = PROTOCOL_VERSION

    def refusal_of(self, workload: WorkloadId) -> str | None:
        """The reason a workload was refused, None when it was not."""
        return next((each.reason for each in self.refused if each.id == workload), None)

    def ports_wanted_of(self, workload: WorkloadId) -> tuple[int, ...]:
        """The server ports a gateway should have."""
        return next((each.ports for each in self.gateway_ports if each.id == workload), ())

    def listeners_wanted_of(self, workload: WorkloadId) -> tuple[OwnListener, ...]:
        """What a workload should listen at, besides what it was started with: a gateway's ports are without address."""
        ports = tuple(OwnListener("", port) for port in self.ports_wanted_of(workload))
        return ports + next((each.listeners for each in self.gateway_ports if each.id == workload), ())


class SignRequest(Message, frozen=True, kw_only=True, tag="sign_request"):
    """Asks a certificate for a workload registered by this node, or for the node itself (`workload` None)."""

    workload: WorkloadId | None = None
    csr_pem: str


class SignReply(Message, frozen=True, kw_only=True, tag="sign_reply"):
    """`chain_pem` is the leaf and what leads to the root, without the root. `root_bundles` maps a trust
    domain to the PEM of its roots. `not_after` is the leaf's end, unix seconds."""

    chain_pem: str
    root_bundles: Map[str, str]
    not_after: int


class PlanRequest(Message, frozen=True, kw_only=True, tag="plan_request"):
    """Asks what operators have said of a workload that is to be placed: of its proxy, and of the group it joins."""

    id: WorkloadId
    labels: Map[str, str] = Map()
    group: str = ""


class GroupPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a workload has of its WorkloadGroup. `ports` are pairs of name and number. `weight` 0 and empty
    texts: nothing is said."""

    labels: Map[str, str] = Map()
    account: str = ""
    ports: tuple[tuple[str, int], ...] = ()
    network: str = ""
    locality: str = ""
    weight: int = 0
    health: HealthCheck | None = None


class PlanReply(Message, frozen=True, kw_only=True, tag="plan_reply"):
    """`group` None: there is none of that name, or none was asked for. `concurrency` None: nobody has said; 0: as many
    threads as the host has processors. `environment`: of the proxy."""

    group: GroupPlan | None = None
    concurrency: int | None = None
    environment: Map[str, str] = Map()


class DescribeRequest(Message, frozen=True, kw_only=True, tag="describe_request"):
    """Asks who the workloads are and whose the hosts that a node's proxies have met, for what is shown of them."""

    workloads: tuple[WorkloadId, ...] = ()
    hosts: tuple[str, ...] = ()


class DescribedWorkload(msgspec.Struct, frozen=True, kw_only=True):
    """`labels`: those that metrics show."""

    id: WorkloadId
    labels: Map[str, str] = Map()


class DescribeReply(Message, frozen=True, kw_only=True, tag="describe_reply"):
    """`hosts`: the namespaces that own them. What is not known is left out."""

    workloads: tuple[DescribedWorkload, ...] = ()
    hosts: Map[str, str] = Map()


class JoinRequest(Message, frozen=True, kw_only=True, tag="join_request"):
    """A new node's first words: the join token as the operator gave it, and a CSR for the node's own key."""

    token: str
    csr_pem: str
    protocol: int = PROTOCOL_VERSION


class JoinReply(Message, frozen=True, kw_only=True, tag="join_reply"):
    """The node's name and certificate, the bundles as in SignReply, and where the control plane's servers are
    (`host:port` of xDS and signing)."""

    chain_pem: str
    bundles: Map[str, str]
    node: str
    servers: tuple[str, ...]
    protocol: int = PROTOCOL_VERSION


M = TypeVar("M", bound=Message)


_ENCODER = msgspec.json.Encoder(enc_hook=plain_map)


def encode(message: Message) -> bytes:
    """One JSON object. Equal messages have equal bytes."""
    return _ENCODER.encode(message)


def decode(body: bytes, kind: type[M]) -> M:
    """The message of that kind in `body`. Raises MessageError for anything else."""
    try:
        return msgspec.json.decode(body, type=kind, dec_hook=typed_map)
    except (msgspec.DecodeError, ValueError) as error:
        raise MessageError(f"not a {kind.__name__}: {error}") from None
