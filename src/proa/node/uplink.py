"""The node's one connection to the control plane: a gRPC channel over mTLS, made anew when the node's
certificate changes. Session, signing and every workload's stream share it.
"""

import asyncio
from typing import Final

import grpc
import msgspec

from proa.core.auth.template import CONTROL_PLANE_DNS
from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import (
    DescribeReply,
    DescribeRequest,
    M,
    Message,
    MessageError,
    PlanReply,
    PlanRequest,
    SignReply,
    SignRequest,
    decode,
    encode,
)
from proa.node.byte_stream import call_once, is_cancelled
from proa.node.credentials import Credential
from proa.node.servers import in_order_of, target_of
from proa.runtime.cell import Cell
from proa.runtime.races import first_of

SIGN: Final = "/proa.node.v1.Node/Sign"
SIGN_TIMEOUT_S: Final = 10.0
PLAN: Final = "/proa.node.v1.Node/Plan"
DESCRIBE: Final = "/proa.node.v1.Node/Describe"
PLAN_TIMEOUT_S: Final = 2.0
"""So long a workload waits to hear what operators have said of it; then it is placed as it was asked for."""
LOST_S: Final = 5.0
"""After so long without a connection the addresses are looked at anew: gRPC goes on to try those it was given."""
KEEPALIVE_MS: Final = 10_000
"""A dead peer is noticed within this and five seconds. The control plane has to allow pings as often as this."""

_OPTIONS: Final = (
    ("grpc.ssl_target_name_override", CONTROL_PLANE_DNS[0]),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", 5_000),
    # A ping may already be under way when the peer falls silent, and a keepalive is not sent beside it: then that
    # ping's own timeout counts, which is a minute when nothing is said.
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),  # the agent may itself run with a sidecar's proxy variables
    ("grpc.use_local_subchannel_pool", 1),  # a new certificate must mean a new connection
)


class SignRefused(Exception):
    """The control plane will not sign: the text says why."""


class SignUnreachable(Exception):
    """No answer; it may work later."""


class Uplink:
    """`run` owns `channel`, which is None before it runs."""

    def __init__(self, credential: Cell[Credential], servers: tuple[str, ...]) -> None:
        self._credential = credential
        self._servers = servers
        self.channel: Cell[grpc.aio.Channel | None] = Cell(None)

    async def run(self) -> None:
        """Until cancelled. Streams on a replaced channel end as lost ones do; their owners open new ones.

        A new certificate is a new channel at once. News of where control planes are is no reason to leave the one that
        serves: they count when it is lost. So does a name that means another address by then.
        """
        try:
            while True:
                seen, credential = self._credential.version, self._credential.value
                old = self.channel.value
                target = await self._target(credential)
                channel = self._make(credential, target)
                self.channel.set(channel)
                if old is not None:
                    await old.close(grace=1.0)
                while _is_same(credential, self._credential.value):
                    is_lost = await first_of(self._credential.changed(seen), _lost(channel)) == 1
                    seen = self._credential.version
                    if is_lost and await self._target(self._credential.value) != target:
                        break
        finally:
            last = self.channel.value
            self.channel.set(None)
            if last is not None:
                await last.close(grace=None)

    async def _target(self, credential: Credential) -> str:
        return await target_of(self._servers or in_order_of(credential.node, credential.servers))

    def _make(self, credential: Credential, target: str) -> grpc.aio.Channel:
        tls = grpc.ssl_channel_credentials(
            root_certificates=credential.roots_pem.encode(),
            private_key=credential.key_pem.encode(),
            certificate_chain=credential.chain_pem.encode(),
        )
        return grpc.aio.secure_channel(target, tls, options=_OPTIONS)

    async def ready(self) -> grpc.aio.Channel:
        """The channel, once it is connected."""
        while True:
            channel = await self.channel.until(lambda channel: channel is not None)
            assert channel is not None
            seen = self.channel.version
            if await first_of(channel.channel_ready(), self.channel.changed(seen)) == 0:
                return channel

    async def plan(self, request: PlanRequest) -> PlanReply:
        """Raises Unanswered when there is no answer in time."""
        return await self._ask(PLAN, request, PlanReply, PLAN_TIMEOUT_S)

    async def describe(self, request: DescribeRequest, within_s: float) -> DescribeReply:
        """Raises Unanswered when there is no answer in time, or the control plane is older than the question."""
        return await self._ask(DESCRIBE, request, DescribeReply, within_s)

    async def _ask(self, method: str, request: Message, kind: type[M], within_s: float) -> M:
        try:
            async with asyncio.timeout(within_s):
                channel = await self.ready()
                return decode(await call_once(channel, method, encode(request), within_s), kind)
        except TimeoutError:
            raise Unanswered("the control plane does not answer") from None
        except grpc.aio.AioRpcError as error:
            raise Unanswered(error.details() or error.code().name) from None
        except MessageError as error:
            raise Unanswered(str(error)) from None
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            raise Unanswered("the connection was renewed meanwhile") from None

    async def sign(self, workload: WorkloadId | None, csr_pem: str) -> SignReply:
        """Raises SignRefused, SignUnreachable."""
        channel = self.channel.value
        if channel is None:
            raise SignUnreachable("not connected")
        request = encode(SignRequest(workload=workload, csr_pem=csr_pem))
        try:
            return decode(await call_once(channel, SIGN, request, SIGN_TIMEOUT_S), SignReply)
        except grpc.aio.AioRpcError as error:
            reason = error.details() or error.code().name
            if error.code() in _REFUSALS:
                raise SignRefused(reason) from None
            raise SignUnreachable(reason) from None
        except MessageError as error:
            raise SignUnreachable(str(error)) from None
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            raise SignUnreachable("the connection was renewed meanwhile") from None


class Unanswered(Exception):
    """What was asked of the control plane cannot be known: the text says why."""


async def _lost(channel: grpc.aio.Channel) -> None:
    """Returns when the channel has not been connected for a while."""
    while True:
        state = channel.get_state(try_to_connect=True)
        if state is grpc.ChannelConnectivity.READY:
            await channel.wait_for_state_change(state)
            continue
        try:
            async with asyncio.timeout(LOST_S):
                await channel.channel_ready()
        except TimeoutError:
            return


def _is_same(one: Credential, other: Credential) -> bool:
    """Whether only the addresses differ."""
    return msgspec.structs.replace(one, servers=()) == msgspec.structs.replace(other, servers=())


_REFUSALS: Final = (
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
)
