"""Each enforcement point of a server's sidecar, broken on purpose, closes: what it is made of never comes, comes empty,
or cannot be read. One Envoy for what is a port's own, one for each thing that all ports share.

What asks a program, and keys of tokens that cannot be fetched, are in test_authorization.py and test_end_users.py; who
starts while there is no control plane in test_without_control_plane.py.
"""

import contextlib
import socketserver
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import CertificateValidationContext
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from google.protobuf.any_pb2 import Any as AnyMessage
from xds.type.matcher.v3.matcher_pb2 import Matcher

from proa.core.pilot.filter_chain_message import FILTER_CHAIN_URL, filter_chain
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate.encode import pack
from proa.core.pilot.translate.filters.revocation import REVOCATION, REVOCATION_STREAMS
from proa.core.sidecar.secrets import ROOTS, build_roots
from tests.mesh.lone_envoy import Identity, Key, LoneEnvoy, Web, packed, serving, unpacked
from tests.mesh.programs import until, why_no_envoy
from tests.mesh.tiny_control_plane import TRUST_DOMAIN, TinyCa

pytestmark = [pytest.mark.mesh, pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy() or "Envoy")]

EXTENSION, LISTENER, SECRET = ResourceType.EXTENSION, ResourceType.LISTENER, ResourceType.SECRET
NOTHING = AnyMessage(type_url="type.googleapis.com/proa.test.Nothing")
HTTP = range(8001, 8013)
STREAM = 8013
POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: known}
spec: {rules: [{from: [{source: {principals: ["*/sa/friend"]}}]}]}
"""


class Answering(socketserver.BaseRequestHandler):
    """The program: the same to everybody, whatever he says."""

    def handle(self) -> None:
        if self.request.recv(4096):
            self.request.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


@pytest.fixture(scope="module")
def program() -> Iterator[int]:
    with serving(Answering) as port:
        yield port


@pytest.fixture(scope="module")
def ca() -> TinyCa:
    return TinyCa()


@pytest.fixture(scope="module")
def friend(ca: TinyCa, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return Identity(ca, "friend").context(tmp_path_factory.mktemp("friend"), "istio-http/1.1")


@pytest.fixture(scope="module")
def stranger(ca: TinyCa, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return Identity(ca, "stranger").context(tmp_path_factory.mktemp("stranger"), "istio-http/1.1")


PORTS = {**dict.fromkeys(HTTP, "HTTP"), STREAM: "TCP"}


@pytest.fixture
def web(program: int) -> Iterator[Web]:
    with Web(program, PORTS, POLICY) as web:
        yield web


def without_filters(listener: Resource) -> Resource:
    read = unpacked(AnyMessage.FromString(listener.body), Listener)
    for chain in read.filter_chains:
        del chain.filters[:]
    return packed(listener, read)


def test_what_is_a_ports_own(
    web: Web, ca: TinyCa, friend: ssl.SSLContext, stranger: ssl.SSLContext, tmp_path: Path
) -> None:
    authz, tokens, mixer = "proa.authz.{}".format, "proa.tokens.{}".format, "proa.mixer.{}".format
    whole = HTTP[0]
    leafless = pack(
        filter_chain([TypedExtensionConfig(name="rules", typed_config=pack(RBAC(matcher=Matcher())))])
    )
    garbled = AnyMessage(type_url=FILTER_CHAIN_URL, value=b"\xff\xff\xff")
    without = without_filters(web.told(LISTENER, "inbound_8009"))
    instead: dict[Key, Resource | None] = {
        (EXTENSION, authz(8002)): None,
        (EXTENSION, authz(8003)): web.extension(authz(8003), AnyMessage()),
        (EXTENSION, authz(8004)): web.extension(authz(8004), NOTHING),
        (EXTENSION, authz(8005)): web.extension(authz(8005), leafless),
        (EXTENSION, tokens(8006)): None,
        (EXTENSION, tokens(8007)): web.extension(tokens(8007), NOTHING),
        (EXTENSION, authz(8008)): web.extension(authz(8008), garbled),
        (LISTENER, without.name): without,
        (EXTENSION, mixer(8010)): None,
        (EXTENSION, mixer(8011)): web.extension(mixer(8011), NOTHING),
        (EXTENSION, mixer(8012)): web.extension(mixer(8012), garbled),
    }
    unreadable = {authz(8003), authz(8004), authz(8008), tokens(8007), mixer(8011), mixer(8012)}
    with LoneEnvoy(tmp_path / "e", web.mesh, ca, instead) as envoy:
        until(lambda: envoy.is_open(web.at[whole]), "the listener that lacks nothing is open")
        assert envoy.status(friend, web.at[whole]) == 200
        assert envoy.status(stranger, web.at[whole]) == 403
        assert envoy.said(friend, web.at[STREAM], b"hello").startswith(b"HTTP/1.1 200")
        until(lambda: unreadable <= envoy.rejected.keys(), f"{unreadable} are refused")
        for port in HTTP[1:]:
            until(lambda it=port: envoy.is_open(web.at[it]), f"{port} is open")  # type: ignore[misc]
            found = [envoy.status(each, web.at[port]) for each in (friend, stranger)]
            # Mixer's place is behind the policies, which refuse the stranger.
            wanted = {8005: [403, 403], 8009: [0, 0], **{each: [500, 403] for each in (8010, 8011, 8012)}}
            assert found == wanted.get(port, [500, 500]), (port, envoy.rejected)
        # What was good once holds on when something unreadable follows.
        before = {*envoy.rejected}
        envoy.change(web.extension(authz(whole), NOTHING))
        until(lambda: authz(whole) in {*envoy.rejected} - before, "it is refused")
        assert (envoy.status(friend, web.at[whole]), envoy.status(stranger, web.at[whole])) == (200, 403)


def spoiled(web: Web) -> dict[str, tuple[dict[Key, Resource | None], int]]:
    """What all ports share, and a port that it closes."""
    nobody = packed(build_roots({}), Secret(name=ROOTS))
    unreadable = packed(nobody, Secret(name=ROOTS, validation_context=_untyped()))
    return {
        "revocations never come": ({(EXTENSION, REVOCATION): None}, HTTP[0]),
        "revocations are unreadable": (
            {(EXTENSION, REVOCATION): web.extension(REVOCATION, NOTHING)},
            HTTP[0],
        ),
        "revocations for streams never come": ({(EXTENSION, REVOCATION_STREAMS): None}, STREAM),
        "revocations for streams are unreadable": (
            {(EXTENSION, REVOCATION_STREAMS): web.extension(REVOCATION_STREAMS, NOTHING)},
            STREAM,
        ),
        "roots never come": ({(SECRET, ROOTS): None}, HTTP[0]),
        "roots are none": ({(SECRET, ROOTS): nobody}, HTTP[0]),
        "roots are unreadable": ({(SECRET, ROOTS): unreadable}, HTTP[0]),
        "no root of any domain": ({(SECRET, ROOTS): build_roots({})}, HTTP[0]),
        "another authority's root": (
            {(SECRET, ROOTS): build_roots({TRUST_DOMAIN: TinyCa().root.pem})},
            STREAM,
        ),
    }


def _untyped() -> CertificateValidationContext:
    context = CertificateValidationContext()
    context.custom_validator_config.name = "nothing"
    context.custom_validator_config.typed_config.CopyFrom(NOTHING)
    return context


def test_what_all_ports_share(
    web: Web, program: int, ca: TinyCa, friend: ssl.SSLContext, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        tried = []
        for number, name in enumerate(spoiled(web)):
            its = stack.enter_context(Web(program, PORTS, POLICY))
            instead, port = spoiled(its)[name]
            envoy = stack.enter_context(LoneEnvoy(tmp_path / str(number), its.mesh, ca, instead))
            tried.append((name, envoy, its.at[port]))
        for name, envoy, place in tried:
            until(lambda it=envoy, at=place: it.is_open(at) or it.rejected, f"{name}: it is decided")  # type: ignore[misc]
            answer = envoy.said(friend, place, b"GET / HTTP/1.1\r\nhost: web\r\n\r\n")
            assert not answer or b" 500 " in answer.splitlines()[0], (name, answer)
