"""What a node agent and the programs on its machine say to each other, and their spelling as lines of JSON.

`proa run`, `proa gateway` and `proa exec` speak it over the node's Unix socket through `proa.node.client`; the
agent answers. This module decides shapes, defaults and the environment an app gets; it opens nothing.

One connection places at most one workload, and the connection is the lease: when it ends, the workload ends.

    client:  Place            Started(pid)          Stop             Exited(code)
    agent:   Progress* Placed | HealthChanged* Warned* GatewayPortServed* | Progress* Drained | Removed

One-shot calls on a connection of their own: AskEnvironment, AskList, AskAdmin, AskGone, AskDrain, AskUndrain,
AskRestart.

What is placed (`core.sidecar.spec`) is part of the protocol, so its names can be had from here too.
"""

import re
from typing import Final, Literal, TypeAlias

import msgspec
from immutables import Map

from proa.core.model.maps import plain_map, typed_map
from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import Health
from proa.core.sidecar.spec import CheckKind as CheckKind
from proa.core.sidecar.spec import HealthCheck as HealthCheck
from proa.core.sidecar.spec import InvalidSpec as InvalidSpec
from proa.core.sidecar.spec import LocalKind as LocalKind
from proa.core.sidecar.spec import PortSpec as PortSpec
from proa.core.sidecar.spec import UpstreamSpec as UpstreamSpec
from proa.core.sidecar.spec import WorkloadSpec as WorkloadSpec
from proa.core.sidecar.spec import parse_port as parse_port
from proa.core.sidecar.spec import parse_upstream as parse_upstream
from proa.core.sidecar.spec import spec_problems as spec_problems

LINE_MAX: Final = 1 << 20
"""Bytes of one message; a longer line is refused."""


class LocalMessageError(ValueError):
    """A line that is no message of this protocol."""


class AppPort(msgspec.Struct, frozen=True, kw_only=True):
    """A served port with everything decided: clients call `service:service_port`, other nodes' sidecars reach
    `sidecar_port`, the app listens on 127.0.0.1:`app_port`."""

    service: str
    service_port: int
    sidecar_port: int
    app_port: int


class LocalUpstream(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream with its port decided."""

    host: str
    port: int
    local_port: int


class WorkloadSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `list`. `proxy` is the Envoy's state of `core.sidecar.supervision`, `epoch` counts hot restarts since
    it was started cold, `remark` is for people: why it is not what it should be."""

    id: WorkloadId
    kind: LocalKind
    account: str
    services: tuple[str, ...]
    health: Health
    proxy: str
    pid: int | None
    envoy_pid: int | None
    restarts: int
    ports: tuple[AppPort, ...] = ()
    outbound_port: int | None = None
    certificate_not_after: int = 0
    envoy_log: str = ""
    access_log: str = ""
    epoch: int = 0
    remark: str = ""


class LocalMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Whatever travels on a line of its own; `type` says which it is."""


class Place(LocalMessage, frozen=True, kw_only=True, tag="place"):
    """First words of an owner. Answered by Progress*, then Placed or Refused.

    `again` is what an earlier agent answered, with which the app runs already: this agent gives the same place (and
    finds the sidecar that serves it), or refuses.
    """

    spec: WorkloadSpec
    again: "Placed | None" = None


class Started(LocalMessage, frozen=True, kw_only=True, tag="started"):
    """The app runs: its health is watched from here on, and its end is seen at once."""

    pid: int


class Stop(LocalMessage, frozen=True, kw_only=True, tag="stop"):
    """No new requests, please: answered by Drained once the open ones have ended (or `drain_ms` has)."""


class Exited(LocalMessage, frozen=True, kw_only=True, tag="exited"):
    """The app has ended (or never started): answered by Removed, after which the agent closes."""

    code: int


class AskEnvironment(LocalMessage, frozen=True, kw_only=True, tag="env"):
    """`workload` is `namespace/name`, a name, a service, or an unambiguous start of one."""

    workload: str


class AskList(LocalMessage, frozen=True, kw_only=True, tag="list"):
    """Every workload of this node."""


class AskAdmin(LocalMessage, frozen=True, kw_only=True, tag="admin"):
    """A page of the workload's Envoy admin interface. `path` starts with a slash."""

    workload: str
    path: str
    method: Literal["GET", "POST"] = "GET"


class AskGone(LocalMessage, frozen=True, kw_only=True, tag="wait_gone"):
    """Answered by Gone when nothing is left of the workload (at once when there is nothing)."""

    workload: str


class AskDrain(LocalMessage, frozen=True, kw_only=True, tag="drain"):
    """No new requests for this workload; empty: for all, and no new workloads for this node. Answered by a
    WorkloadDrained for each, then NodeDrained. `deadline_ms` bounds the wait for open requests; None is the usual."""

    workload: str = ""
    deadline_ms: int | None = None


class AskUndrain(LocalMessage, frozen=True, kw_only=True, tag="undrain"):
    """Takes AskDrain back. Answered by Undrained."""

    workload: str = ""


class AskRestart(LocalMessage, frozen=True, kw_only=True, tag="restart"):
    """Replace the workload's Envoy by one that is started now, without losing a request. Answered by Restarted."""

    workload: str


class Progress(LocalMessage, frozen=True, kw_only=True, tag="progress"):
    """Where placing or stopping stands. `stage` is greppable, `text` is for people."""

    stage: str
    text: str


class Refused(LocalMessage, frozen=True, kw_only=True, tag="refused"):
    """The workload is not taken, or was taken away: nothing of it is left."""

    reason: str


class Placed(LocalMessage, frozen=True, kw_only=True, tag="placed"):
    """The sidecar stands and takes traffic: start the app with `env` added to its environment.

    `envoy_admin` is the path of its admin socket.
    """

    id: WorkloadId
    env: Map[str, str]
    ports: tuple[AppPort, ...]
    upstreams: tuple[LocalUpstream, ...] = ()
    outbound_port: int | None = None
    envoy_admin: str = ""
    envoy_log: str = ""
    access_log: str = ""


class HealthChanged(LocalMessage, frozen=True, kw_only=True, tag="health"):
    """`state` of the whole workload: its worst port's. `why` is for people."""

    state: Health
    why: str = ""


class Warned(LocalMessage, frozen=True, kw_only=True, tag="warned"):
    """Something works that should not be left so. `code` is greppable."""

    code: str
    text: str


class GatewayPortServed(LocalMessage, frozen=True, kw_only=True, tag="gateway_port"):
    """A gateway serves a server's port at `address:bound_port`. Sent again when it changes."""

    server_port: int
    bound_port: int
    address: str


class GatewayPortClosed(LocalMessage, frozen=True, kw_only=True, tag="gateway_port_closed"):
    """No Gateway asks for the port any more."""

    server_port: int


class Drained(LocalMessage, frozen=True, kw_only=True, tag="drained"):
    """`open_requests` is what was still open when the time was over."""

    open_requests: int = 0


class Removed(LocalMessage, frozen=True, kw_only=True, tag="removed"):
    """Deregistered, Envoy gone, ports free."""


class Environment(LocalMessage, frozen=True, kw_only=True, tag="environment"):
    """Answer to AskEnvironment: what a program needs to speak as the workload's app does."""

    id: WorkloadId
    env: Map[str, str]


class Workloads(LocalMessage, frozen=True, kw_only=True, tag="workloads"):
    """Answer to AskList, sorted by id. `connected` is whether the control plane answers now."""

    node: str
    connected: bool
    workloads: tuple[WorkloadSummary, ...] = ()


class AdminAnswer(LocalMessage, frozen=True, kw_only=True, tag="admin_answer"):
    """Answer to AskAdmin, in pieces: the last has `more` False."""

    status: int
    body: str
    more: bool = False


class Gone(LocalMessage, frozen=True, kw_only=True, tag="gone"):
    """Answer to AskGone."""


class WorkloadDrained(LocalMessage, frozen=True, kw_only=True, tag="workload_drained"):
    """The workload gets no new requests. `open_requests` is what was still open when the time was over."""

    id: WorkloadId
    open_requests: int = 0


class NodeDrained(LocalMessage, frozen=True, kw_only=True, tag="node_drained"):
    """The end of the answer to AskDrain. `is_closed`: this node takes no workloads now."""

    node: str
    is_closed: bool


class Undrained(LocalMessage, frozen=True, kw_only=True, tag="undrained"):
    """Answer to AskUndrain: `workloads` take requests again as soon as their sidecars are ready, `stay` do not: their
    programs are ending, or have to be started again."""

    workloads: tuple[WorkloadId, ...] = ()
    stay: tuple[WorkloadId, ...] = ()


class Restarted(LocalMessage, frozen=True, kw_only=True, tag="restarted"):
    """Answer to AskRestart: the new Envoy serves. When it is not `hot` the one before was drained first, or had ended;
    `why` says for what reason."""

    id: WorkloadId
    hot: bool
    epoch: int = 0
    envoy_pid: int | None = None
    why: str = ""


class Failed(LocalMessage, frozen=True, kw_only=True, tag="failed"):
    """A one-shot call has no answer: `code` is not_found, ambiguous, unavailable or malformed."""

    code: Literal["not_found", "ambiguous", "unavailable", "malformed"]
    message: str


Question: TypeAlias = AskEnvironment | AskList | AskAdmin | AskGone | AskDrain | AskUndrain | AskRestart
"""What is asked on a connection that owns nothing."""
ClientMessage: TypeAlias = Place | Started | Stop | Exited | Question
OwnerEvent: TypeAlias = (
    Progress
    | Refused
    | Placed
    | HealthChanged
    | Warned
    | GatewayPortServed
    | GatewayPortClosed
    | Drained
    | Removed
)
"""What the owner of a workload hears, in order."""
OneShotAnswer: TypeAlias = (
    Environment
    | Workloads
    | AdminAnswer
    | Gone
    | WorkloadDrained
    | NodeDrained
    | Undrained
    | Restarted
    | Failed
)
AgentMessage: TypeAlias = OwnerEvent | OneShotAnswer


_ENCODER = msgspec.json.Encoder(enc_hook=plain_map)
_FROM_CLIENT: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage, dec_hook=typed_map)
_FROM_AGENT: msgspec.json.Decoder[AgentMessage] = msgspec.json.Decoder(AgentMessage, dec_hook=typed_map)


def encode_line(message: LocalMessage) -> bytes:
    """One line with its newline."""
    return _ENCODER.encode(message) + b"\n"


def decode_from_client(line: bytes) -> ClientMessage:
    """Raises LocalMessageError."""
    try:
        return _FROM_CLIENT.decode(line)
    except (msgspec.DecodeError, ValueError) as error:
        raise LocalMessageError(str(error)) from None


def decode_from_agent(line: bytes) -> AgentMessage:
    """Raises LocalMessageError."""
    try:
        return _FROM_AGENT.decode(line)
    except (msgspec.DecodeError, ValueError) as error:
        raise LocalMessageError(str(error)) from None


def app_environment(
    workload: WorkloadId,
    app_port: int | None,
    outbound_port: int | None,
    upstreams: tuple[LocalUpstream, ...],
    workload_api: str = "",
) -> Map[str, str]:
    """What is added to an app's environment. Both cases of the proxy variables, because programs differ in
    which they read; $PORT is the first port's, as platforms that run one app per container have it. `workload_api` is
    the path of SPIFFE's socket."""
    env = {"PROA_WORKLOAD": str(workload)}
    if outbound_port is not None:
        proxy = f"http://127.0.0.1:{outbound_port}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            env[name] = proxy
        env["NO_PROXY"] = env["no_proxy"] = "localhost,127.0.0.1,::1"
    if app_port is not None:
        env["PORT"] = str(app_port)
    if workload_api:
        env["SPIFFE_ENDPOINT_SOCKET"] = f"unix://{workload_api}"
    for upstream in upstreams:
        env.setdefault(upstream_variable(upstream.host), f"127.0.0.1:{upstream.local_port}")
        env[f"{upstream_variable(upstream.host)}_{upstream.port}"] = f"127.0.0.1:{upstream.local_port}"
    return Map(env)


def upstream_variable(host: str) -> str:
    """`redis` -> `PROA_UPSTREAM_REDIS`, `my-db.prod` -> `PROA_UPSTREAM_MY_DB_PROD`."""
    return "PROA_UPSTREAM_" + re.sub(r"[^A-Z0-9]", "_", host.upper())


def find_workload(
    wanted: str, known: tuple[tuple[WorkloadId, tuple[str, ...]], ...]
) -> tuple[WorkloadId, ...]:
    """Which workloads `wanted` means, of `known` (id, its services): the exact id or name, else those of the
    service, else those whose name starts so; `namespace/` in front narrows. One is the answer, several are
    ambiguous except for a service, where the first stands for all."""
    namespace, slash, name = wanted.rpartition("/")
    here = [each for each in known if not slash or each[0].namespace == namespace]
    exact = tuple(sorted(each for each, _ in here if each.name == name))
    if exact:
        return exact
    serving = tuple(sorted(each for each, services in here if name in services))
    if serving:
        return serving[:1]
    return tuple(sorted(each for each, _ in here if name and each.name.startswith(name)))
