"""What a server's sidecar makes of bytes and certificates that no honest client sends.

Bare LF, bare CR and folded lines are taken by Envoy, and nothing in it can be told not to. So the program behind it
reads every byte that it gets strictly: there is one reading, and it is the one that the rules saw.
"""

import contextlib
import re
import socket
import socketserver
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from proa.core.auth.spiffe import SpiffeId
from proa.core.auth.template import Validity, node_leaf, workload_leaf
from proa.core.model.names import WorkloadId
from tests.mesh.lone_envoy import ADDRESS, Identity, LoneEnvoy, Web, serving
from tests.mesh.programs import until, why_no_envoy
from tests.mesh.tiny_control_plane import TRUST_DOMAIN, TinyCa, new_serial

pytestmark = [pytest.mark.mesh, pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy() or "Envoy")]

PORT, STREAM = 8001, 8002
POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: known}
spec:
  rules:
  - from: [{source: {namespaces: [default]}}]
    to: [{operation: {paths: [/open, /x*]}}]
    when: [{key: "request.headers[x-role]", values: [user]}]
  - to: [{operation: {ports: ["8002"]}}]
"""
SEEN: list["Request"] = []
FAULTS: list[str] = []
"""What the program has read, on all connections, and what it could not read strictly."""


class Keeping(socketserver.BaseRequestHandler):
    """Answers each request that a strict reader finds."""

    def handle(self) -> None:
        got, answered = b"", 0
        while data := self.request.recv(65536):
            got += data
            try:
                found = requests_in(got)
            except AssertionError as fault:
                FAULTS.append(f"{fault}: {got!r}")
                return
            SEEN.extend(found[answered:])
            for _ in found[answered:]:
                self.request.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            answered = len(found)


class Request(msgspec.Struct, frozen=True):
    line: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    def values(self, name: bytes) -> list[bytes]:
        return [value for each, value in self.headers if each == name]


LAST = re.compile(rb"(?s)connection: close\r\n(?:.*\r\n)?\r\n|RBAC: access denied$")
LINE = re.compile(rb"[A-Z]+ /[!-~]* HTTP/1\.1")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9a-z-]+): ([!-~\x80-\xff](?:[ \t!-~\x80-\xff]*[!-~\x80-\xff])?)?")


def requests_in(data: bytes) -> list[Request]:
    """As RFC 9112 writes them and in no other way. Fails for what is no such thing."""
    found: list[Request] = []
    while b"\r\n\r\n" in data:
        head, _, data = data.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        assert LINE.fullmatch(line), line
        read = [HEADER.fullmatch(each) for each in fields]
        assert all(read), fields
        request = Request(line, tuple((each[1], each[2] or b"") for each in read if each))
        lengths, coded = request.values(b"content-length"), request.values(b"transfer-encoding")
        assert len(lengths) + len(coded) <= 1, "one way to tell the body's end"
        if coded:
            assert coded == [b"chunked"]
            body, end, rest = data.partition(b"0\r\n\r\n")
            if not end:
                return found
            assert re.fullmatch(rb"(?s)(?:[0-9a-f]+\r\n.*?\r\n)*", body), body
            data = rest
        elif lengths:
            if len(data) < int(lengths[0]):
                return found
            data = data[int(lengths[0]) :]
        found.append(request)
    return found


@pytest.fixture(scope="module")
def ca() -> TinyCa:
    return TinyCa()


class Door:
    def __init__(self, envoy: LoneEnvoy, context: ssl.SSLContext, port: int, stream: int) -> None:
        self.envoy, self._context, self.port, self.stream = envoy, context, port, stream

    def say(self, text: bytes) -> list[int]:
        """The statuses of all that comes back, until Envoy says that it hangs up, with its answer to the last request
        or before, or denies one: it reads no more then, and hangs up after a second."""
        with (
            socket.create_connection((ADDRESS, self.port), timeout=20) as plain,
            self._context.wrap_socket(plain, server_hostname="web") as connection,
        ):
            connection.sendall(text + b"GET /last HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n")
            got = b""
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while not LAST.search(got) and (data := connection.recv(65536)):
                    got += data
        return [int(each) for each in re.findall(rb"HTTP/1.1 (\d+) ", got)]


@pytest.fixture(scope="module")
def door(ca: TinyCa, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("raw")
    with serving(Keeping) as program, Web(program, {PORT: "HTTP", STREAM: "TCP"}, POLICY) as web:
        context = Identity(ca, "caller").context(folder, "istio-http/1.1")
        with LoneEnvoy(folder / "e", web.mesh, ca) as envoy:
            until(lambda: envoy.is_open(web.at[PORT]), "the sidecar serves")
            yield Door(envoy, context, web.at[PORT], web.at[STREAM])


def got_since(number: int) -> list[Request]:
    assert not FAULTS, FAULTS
    return SEEN[number:]


OK = b"host: web\r\nx-role: user\r\n"
TAKEN = {
    b"GET /open HTTP/1.1\nhost: web\nx-role: user\n\n": (b"x-role", b"user"),
    b"GET /open HTTP/1.1\r\nhost: web\nx-role: user\r\n\n": (b"x-role", b"user"),
    b"GET /open HTTP/1.1\r\n" + OK + b"x-a: b\r\n c: d\r\n\r\n": (b"x-a", b"b c: d"),
    b"GET /open HTTP/1.1\r\n" + OK + b"x-a: b\n\tc\r\n\r\n": (b"x-a", b"b\tc"),
    b"GET /open HTTP/1.1\r\nhost: web\r\nx-role:\r\n user\r\n\r\n": (b"x-role", b"user"),
    b"POST /open HTTP/1.1\n" + OK + b"content-length:\n 2\n\nhi": (b"content-length", b"2"),
}
"""With a header as the program reads it."""


def test_lines_that_end_otherwise_have_one_reading(door: Door) -> None:
    for text, (name, value) in TAKEN.items():
        before = len(SEEN)
        assert door.say(text) == [200, 403], text
        (request,) = got_since(before)
        assert request.values(name) == [value]


def test_what_hides_a_second_request_is_judged_or_refused(door: Door) -> None:
    """Whatever the bytes: the program gets requests that the rules have let in, each of them judged by itself."""
    hidden = b"GET /secret HTTP/1.1\r\n" + OK + b"\r\n"
    chunks = b"POST /open HTTP/1.1\r\n" + OK + b"transfer-encoding: chunked\r\n\r\n"
    attacks = (
        b"GET /open HTTP/1.1\r\n" + OK + b"x-a: b\n\n" + hidden,
        b"GET /open HTTP/1.1\r\n" + OK + b"\n" + hidden,
        b"POST /open HTTP/1.1\r\n" + OK + b"content-length: 0\n\n" + hidden,
        b"POST /open HTTP/1.1\r\n" + OK + b"transfer-encoding:\n chunked\r\n\r\n0\r\n\r\n" + hidden,
        b"POST /open HTTP/1.1\r\n" + OK + b"transfer-encoding: x\r\n chunked\r\n\r\n0\r\n\r\n" + hidden,
        b"POST /open HTTP/1.1\r\n" + OK + b"content-length: 1\r\n 0\r\n\r\n" + hidden,
        b"POST /open HTTP/1.1\r\n" + OK + b"x-a: b\r\n content-length: 90\r\n\r\n" + hidden,
        chunks + b"0\n\n" + hidden,
        chunks + b"2;a=\nxx\r\nhi\r\n0\r\n\r\n" + hidden,
        chunks + b"2\nhi\n0\n\n" + hidden,
        chunks + b"2;\r\nhi\r\n0\r\nx-t: a\n b\r\n\r\n" + hidden,
        chunks + b"0\r\nx-role: admin\r\n\r\n" + hidden,
    )
    for text in attacks:
        before = len(SEEN)
        statuses = door.say(text)
        got = got_since(before)
        assert len(got) == statuses.count(200) <= 1, (text, statuses, got)
        assert all(each.line.split()[1] == b"/open" for each in got), text
        assert {*statuses} <= {200, 400, 403, 501}, (text, statuses)


PIECES = (
    *(
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"x-role: user",
        b"x-role:",
        b"user",
        b"x-a: b",
        b"admin",
    ),
    *(
        b"content-length: 0",
        b"transfer-encoding: chunked",
        b"0",
        b"GET /secret HTTP/1.1",
        b"X-Role: user",
        b";",
    ),
)


def test_the_program_reads_what_the_rules_have_read(door: Door) -> None:
    """Header blocks of random pieces: whoever got in has the one role that lets him in."""
    rng = Random(7)
    let_in = 0
    for _ in range(60):
        block = b"".join(rng.choices(PIECES, k=rng.randint(1, 10)))
        before = len(SEEN)
        door.say(
            b"GET /x HTTP/1.1\r\nhost: web\r\n" + rng.choice((b"", b"x-role: user\r\n")) + block + b"\r\n\r\n"
        )
        for request in got_since(before):
            assert request.values(b"x-role") == [b"user"], (block, request)
            assert request.line.split()[1] == b"/x", (block, request)
            let_in += 1
    assert let_in > 5


def test_certificates_that_open_no_sidecar(door: Door, ca: TinyCa, tmp_path: Path) -> None:
    now, me = time.time(), WorkloadId("default", "caller")

    def leaf(begins: float, ends: float) -> Identity:
        validity = Validity(
            now=now + begins, ttl=int(ends - begins), signer_not_before=0, signer_not_after=int(now + ends)
        )
        return Identity(ca, "caller", workload_leaf(TRUST_DOMAIN, me, "caller", new_serial(), validity))

    elsewhere = workload_leaf("other.example", me, "caller", new_serial(), ca.validity)
    assert elsewhere.uri == SpiffeId("other.example", "/ns/default/sa/caller")
    strangers = {
        "expired": leaf(-7200, -3600),
        "not yet valid": leaf(3600, 7200),
        "wrong trust domain": Identity(ca, "caller", elsewhere),
        "untrusted": Identity(TinyCa(), "caller"),
        "wrong identity": Identity(ca, "here", node_leaf(TRUST_DOMAIN, "here", new_serial(), ca.validity)),
        "good": Identity(ca, "caller"),
    }
    alone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    alone.check_hostname, alone.verify_mode = False, ssl.CERT_NONE
    alone.set_alpn_protocols(["istio-http/1.1"])
    for name, context in (
        ("no certificate", alone),
        *((name, each.context(tmp_path, "istio-http/1.1")) for name, each in strangers.items()),
    ):
        before = sum(door.envoy.counters(r"ssl\.(fail_verify|connection_error)").values())
        for port in (door.port, door.stream):
            answer = door.envoy.said(context, port, b"GET /open HTTP/1.1\r\n" + OK + b"\r\n")
            assert answer.startswith(b"HTTP/1.1 200") == (name == "good"), (name, port, answer)
        counted = sum(door.envoy.counters(r"ssl\.(fail_verify|connection_error)").values()) - before
        assert counted >= 2 or name == "good", name
