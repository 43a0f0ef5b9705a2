"""A partner's trust domain, accepted in one namespace: who gets in there, who does not elsewhere, and what becomes of
it when the partner's roots change or its object goes.

The partner is an authority made here, whose clients and server are this test's own; `echo` and `caller` are in a
namespace that accepts nobody, `store` in the one that does.
"""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Issued
from tests.mesh.harness import Mesh, app, curl_status, until
from tests.mesh.test_attacks import said_on

pytestmark = [pytest.mark.mesh, pytest.mark.timeout(180)]

PARTNER = "partner.example"
BUYER = f"spiffe://{PARTNER}/ns/default/sa/buyer"
"""Of a namespace that is called as one of ours, and is none."""
TILL = f"spiffe://{PARTNER}/tills/7"
"""As SPIRE has ids: of no shape in particular."""
GET = "GET /{} HTTP/1.1\r\nhost: store.shop:8080\r\n\r\n"


def domain(root: Authority, *more: Authority) -> str:
    bundle = "".join(each.roots.read_text() for each in (root, *more))
    indented = "\n".join(f"    {line}" for line in bundle.splitlines())
    return f"""
apiVersion: proa.dev/v1alpha1
kind: FederatedTrustDomain
metadata: {{name: partner, namespace: istio-system}}
spec:
  trustDomain: {PARTNER}
  namespaces: [shop]
  trustDomainBundle: |
{indented}
"""


def policy(source: str) -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: buyers, namespace: shop}}
spec: {{rules: [{{from: [{{source: {source}}}]}}]}}
"""


class Refused(Exception):
    """The handshake failed, or the server hung up on the first word."""


@contextlib.contextmanager
def dialled(mesh: Mesh, workload: str, shown: Issued) -> Iterator[ssl.SSLSocket]:
    """A connection as another mesh's sidecar makes it. Raises Refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(shown.cert, shown.key)
    context.set_alpn_protocols(["istio-http/1.1"])
    plain = socket.create_connection(mesh.inbound(workload, 8080), timeout=20)
    with plain, context.wrap_socket(plain, server_hostname="x") as connection:
        yield connection


def status(mesh: Mesh, workload: str, shown: Issued, path: str = "x") -> int:
    """Of one request on its own connection; 0 when it is refused in the handshake."""
    try:
        with dialled(mesh, workload, shown) as connection:
            return said_on(connection, GET.format(path))[0]
    except (ssl.SSLError, ConnectionError, IndexError):
        return 0


@pytest.fixture
def scene(mesh: Mesh) -> Iterator[Mesh]:
    with mesh.running("store", app("echo"), port="8080:auto/http", namespace="shop"):
        yield mesh


def details(mesh: Mesh, path: str) -> object:
    return mesh.logged("store", "shop", path=f"/{path}").get("details")


def test_a_partner_gets_in_where_it_is_accepted_and_named(scene: Mesh, tmp_path: Path) -> None:
    mesh, root = scene, Authority(tmp_path, "partner", PARTNER)
    buyer, till = root.issue(BUYER), root.issue(TILL)
    ours = "spiffe://cluster.local/ns/default/sa/caller"
    forged = root.issue(ours)
    two, named = (
        root.issue(BUYER, ours, file="two"),
        root.issue(BUYER, "caller.default.workload.cluster.local", file="n"),
    )
    assert (status(mesh, "store", buyer), status(mesh, "echo", buyer)) == (0, 0)

    with contextlib.ExitStack() as stack:
        stack.enter_context(mesh.applied(domain(root)))
        until(lambda: status(mesh, "store", buyer, "unnamed") == 403, "the partner's handshake is taken")
        assert "federation" in str(details(mesh, "unnamed"))
        assert curl_status(mesh.curl("caller", "-i", "http://store.shop:8080/ours")) == 200
        assert status(mesh, "echo", buyer) == 0, "no other namespace believes it"
        assert status(mesh, "store", forged) == 0, "it cannot make our ids"
        assert status(mesh, "store", two, "two") == 403
        assert "trust-domain" in str(details(mesh, "two"))

        with mesh.applied(policy(f"{{trustDomains: [{PARTNER}]}}")):
            assert {status(mesh, "store", each) for each in (buyer, till, named)} == {200}
            assert status(mesh, "store", two) == 403
            assert curl_status(mesh.curl("caller", "-i", "http://store.shop:8080/ours")) == 403
        for ours_alone in ("namespaces: [default]", "serviceAccounts: [default/buyer]", 'principals: ["*"]'):
            with mesh.applied(policy(f"{{{ours_alone}}}")):
                assert status(mesh, "store", buyer) == 403, ours_alone
