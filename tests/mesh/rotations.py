"""Certificates that change under load, as a scene that short and long tests share.

    with rotating_mesh() as mesh:
        told = rotate_under_load(mesh, seconds=20)

Every connection between the sidecars carries a few requests only, so that handshakes go on all the time.
"""

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509

from proa.core.auth.ca import name_text
from proa.core.auth.roots import signing_root
from proa.node.credentials import Credential, load_credential
from proa.servers.admin.authority import AuthorityStatus
from proa.testing.load import LoadResult, acceptance_plan, offer_load
from tests.mesh.harness import FOREVER, Mesh, app, until
from tests.mesh.load import ECHO

LEAF_S: Final = 10
WAIT_S: Final = 60.0
SHORT_CONNECTIONS: Final = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo}
spec:
  host: echo
  trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 3}}}
"""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """`old` and `new` are the roots in PEM before and after, `serials` the leafs that a workload had meanwhile."""

    load: LoadResult
    old: str
    new: str
    serials: frozenset[int]


@contextlib.contextmanager
def rotating_mesh(*flags: str) -> Iterator[Mesh]:
    """Leafs of ten seconds, an echo and a caller."""
    with Mesh("up", f"--leaf-ttl={LEAF_S}s", *flags) as mesh:
        mesh.run("caller", FOREVER, wait=False)
        mesh.run("echo", app("echo"), port="8080:auto", wait=False)
        mesh.until_healthy("caller", "echo")
        mesh.apply(SHORT_CONNECTIONS)
        until(lambda: mesh.curl("caller", "-f", ECHO).returncode == 0, "the caller reaches echo")
        yield mesh


def credential(mesh: Mesh, workload: str) -> Credential:
    """What is on disk, as a restarted agent would find it."""
    found = load_credential(mesh.home.workload_dir(f"default/{workload}") / "credential.json")
    assert found is not None, f"{workload} has no credential"
    return found


def rotate_under_load(
    mesh: Mesh, *, seconds: float, meanwhile: Sequence[Callable[[Mesh], None]] = ()
) -> Told:
    """A new intermediate and a new root, one after the other, then each of `meanwhile`, all under the acceptance load
    for at least so long; returns when the last request is answered."""
    old = credential(mesh, "echo").roots_pem
    serials: set[int] = set()
    with _load(mesh) as (load, enough):
        started = time.monotonic()
        until(lambda: _serial(mesh, serials) and len(serials) > 1, "a leaf is renewed", WAIT_S)
        mesh.proa("certificate", "rotate", "intermediate", check=True)
        until(
            lambda: _is_under(mesh, mesh.admin.authority().signer.subject), "the intermediate signs", WAIT_S
        )
        mesh.proa("certificate", "rotate", "root", "--wait", "--timeout=60s", check=True, timeout_s=90)
        for each in meanwhile:
            each(mesh)
        until(
            lambda: _serial(mesh, serials) and time.monotonic() - started >= seconds,
            "the time is over",
            seconds + 60,
        )
        enough()
    new = credential(mesh, "echo").roots_pem
    return Told(load=load(), old=old, new=new, serials=frozenset(serials))


def shows_chain_to(mesh: Mesh, roots_pem: str) -> bool:
    """Whether what echo's sidecar shows leads to these roots and it takes the caller for a peer."""
    mine = credential(mesh, "caller")
    context = ssl.create_default_context(cadata=roots_pem)
    context.check_hostname = False
    context.set_alpn_protocols(["istio"])
    pair = Path(mesh.home.workload_dir("default/caller")) / "pair-of-the-test.pem"
    pair.touch(mode=0o600)
    pair.write_text(mine.key_pem + mine.chain_pem)
    context.load_cert_chain(pair)
    pair.unlink()
    return asyncio.run(_is_taken(context, *mesh.inbound("echo", 8080)))


def authority(mesh: Mesh) -> AuthorityStatus:
    return mesh.admin.authority()


async def _is_taken(context: ssl.SSLContext, host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.write(b"GET /health HTTP/1.1\r\nhost: echo:8080\r\nconnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
    except ssl.SSLCertVerificationError:
        return False
    return answer.startswith(b"HTTP/1.1 200")


def _serial(mesh: Mesh, found: set[int]) -> bool:
    leaf = x509.load_pem_x509_certificate(credential(mesh, "echo").chain_pem.encode())
    found.add(leaf.serial_number)
    return True


def _is_under(mesh: Mesh, subject: str) -> bool:
    """Whether both workloads' leafs are signed by it."""
    for name in ("caller", "echo"):
        leaf = x509.load_pem_x509_certificate(credential(mesh, name).chain_pem.encode())
        if name_text(leaf.issuer) != subject:
            return False
    return True


def chains_to(mesh: Mesh, roots_pem: str) -> bool:
    """Whether all that is on this node's disk is under these roots."""
    return all(signing_root(credential(mesh, name).chain_pem, roots_pem) for name in ("caller", "echo"))


@contextlib.contextmanager
def _load(mesh: Mesh) -> Iterator[tuple[Callable[[], LoadResult], Callable[[], None]]]:
    """The acceptance load in a thread, from the block's beginning until it is told that it is enough."""
    plan = acceptance_plan(ECHO + "/", ECHO + "/", b'{"a": 1}', seconds=3600, proxy=mesh.proxy("caller"))
    done: list[LoadResult] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    running = threading.Event()

    async def main() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        running.set()
        done.append(await offer_load(plan, stop=stop))

    def enough() -> None:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()

    def result() -> LoadResult:
        return done[0]

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="load", daemon=True)
    thread.start()
    assert running.wait(60)
    try:
        yield result, enough
    finally:
        if thread.is_alive():
            enough()
