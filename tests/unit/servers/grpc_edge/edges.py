"""A server of ours with an authority of its own, and gRPC's Python client as a node of its mesh."""

import os
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import grpc
import grpc.aio
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from proa.core.auth.ca import Ca, issue, make_root, private_pem
from proa.core.auth.template import (
    CONTROL_PLANE_DNS,
    CertificateTemplate,
    control_plane_leaf,
    node_leaf,
    serial_from,
)
from proa.servers.asgi import bind_tcp
from proa.servers.grpc_edge import Credentials, StreamHandler, service, serving_grpc

TRUST_DOMAIN = "cluster.local"
NODE = f"spiffe://{TRUST_DOMAIN}/proa/node/here"
PATIENCE_S = 60.0


class Authority(msgspec.Struct, frozen=True):
    root: Ca

    def server(self) -> Credentials:
        key, chain = self._issue(control_plane_leaf(TRUST_DOMAIN, _serial(), self._validity))
        return Credentials(key, chain, self.root.pem)

    def node(self, name: str = "here") -> tuple[str, str]:
        """(key, chain), PEM."""
        return self._issue(node_leaf(TRUST_DOMAIN, name, _serial(), self._validity))

    @property
    def _validity(self) -> Any:
        return self.root.validity(time.time(), 3600)

    def _issue(self, template: CertificateTemplate) -> tuple[str, str]:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = issue(template, key.public_key(), self.root)
        return private_pem(key), Ca(key=key, certificate=leaf).pem

    def channel_credentials(self, other_root: str | None = None) -> grpc.ChannelCredentials:
        key, chain = self.node()
        return grpc.ssl_channel_credentials(
            (other_root or self.root.pem).encode(), key.encode(), chain.encode()
        )


@cache
def authority(name: str = "ours") -> Authority:
    """One per name."""
    return Authority(make_root(TRUST_DOMAIN, ec.generate_private_key(ec.SECP256R1()), _serial(), time.time()))


def _serial() -> int:
    return serial_from(os.urandom(20))


@asynccontextmanager
async def serving(
    methods: Mapping[str, StreamHandler],
    *,
    port: int = 0,
    grace_s: float = 0.2,
    tls: Credentials | None = None,
) -> AsyncIterator[int]:
    """Serves /test/<method> over TLS; gives the port."""
    with bind_tcp("127.0.0.1", port) as listener:
        bound = listener.getsockname()[1]
        async with serving_grpc([service("test", methods)], [listener], tls or authority().server(), grace_s):
            yield bound


_OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.ssl_target_name_override", CONTROL_PLANE_DNS[0]),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)


def channel(port: int, identity: tuple[str, str] | None = None) -> grpc.aio.Channel:
    """As the node of the mesh, or as whom this (key, chain), PEM, names."""
    credentials = authority().channel_credentials()
    if identity is not None:
        key, chain = identity
        credentials = grpc.ssl_channel_credentials(
            authority().root.pem.encode(), key.encode(), chain.encode()
        )
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=_OPTIONS)


def sync_channel(port: int) -> grpc.Channel:
    return grpc.secure_channel(f"127.0.0.1:{port}", authority().channel_credentials(), options=_OPTIONS)


def plain(listener: socket.socket) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"unix:{listener.getsockname()}", options=_OPTIONS)
