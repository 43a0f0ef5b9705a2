"""The admin API from another host: a token's role says what it may, and who has none learns nothing."""

import asyncio
import hashlib
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from proa.servers.admin.app import build_admin_app
from proa.servers.admin.authority import PlugRequest, RevokeRequest
from proa.servers.admin.client import AdminClient, Remote
from proa.servers.admin.operations import DeleteRequest, OperationFailed
from proa.servers.admin.roles import Door, RolesUnusable, may, read_roles, with_roles
from proa.servers.asgi import bind_tcp, serving
from proa.testing.admin_operations import FixedOperations
from tests.certificates import Authority

ADMIN, VIEWER = "a" * 40, "v" * 40


def roles_file(folder: Path) -> Path:
    path = folder / "roles.json"
    told = [
        {"name": name, "sha256": hashlib.sha256(token.encode()).hexdigest(), "role": role}
        for name, token, role in (("ci", ADMIN, "admin"), ("grafana", VIEWER, "viewer"))
    ]
    path.write_text(json.dumps({"tokens": told}))
    path.chmod(0o600)
    return path


async def nobody(_serial: str) -> None:
    """No certificate was signed."""


def asked(folder: Path, work: Callable[[Remote], None]) -> list[str]:
    """Whom it denied while `work` asked."""
    authority = Authority(folder)
    served = authority.issue("proa.istio-system.svc")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(served.cert, served.key)
    denied: list[str] = []

    async def body() -> None:
        door = Door(
            roles=read_roles(roles_file(folder)),
            trust_domain="td",
            judge=lambda peer: "",
            clock=time.time,
            issued_to=nobody,
        )
        app = with_roles(build_admin_app(FixedOperations()), door, lambda code, who: denied.append(who))
        bound = bind_tcp("127.0.0.1", 0)
        port = bound.getsockname()[1]
        async with asyncio.timeout(60), serving(app, [bound], tls):
            remote = Remote(host="127.0.0.1", port=port, token=ADMIN, roots=authority.roots)
            await asyncio.to_thread(work, remote)

    asyncio.run(body())
    return denied


def test_an_admin_may_all_and_a_viewer_may_look(tmp_path: Path) -> None:
    def work(remote: Remote) -> None:
        admin = AdminClient(remote)
        assert admin.status().version
        assert admin.revoke(RevokeRequest(what="a1")).revocations
        viewer = AdminClient(msgspec.structs.replace(remote, token=VIEWER))
        assert viewer.status().version
        for change in (
            lambda: viewer.revoke(RevokeRequest(what="a1")),
            lambda: viewer.delete(DeleteRequest(refs=())),
        ):
            with pytest.raises(OperationFailed, match="grafana is a viewer"):
                change()

    assert asked(tmp_path, work) == ["grafana", "grafana"]


def test_nobody_brings_a_ca_from_another_host(tmp_path: Path) -> None:
    def work(remote: Remote) -> None:
        with pytest.raises(OperationFailed, match="the key of a CA does not travel"):
            AdminClient(remote).plug(PlugRequest(cert="c", key="k"))

    assert asked(tmp_path, work) == ["ci"]


def test_who_has_no_token_learns_nothing(tmp_path: Path) -> None:
    def work(remote: Remote) -> None:
        for token in ("", "a" * 39, "x" * 40, ADMIN + "a"):
            with pytest.raises(OperationFailed, match="a token of the operator's is needed"):
                AdminClient(msgspec.structs.replace(remote, token=token)).status()

    assert asked(tmp_path, work) == ["(no token)"] * 4


def test_roles() -> None:
    assert may("viewer", "GET", "/v1/objects")
    for question in ("diff", "explain", "peers", "mixer/check", "mixer/explain"):
        assert may("viewer", "POST", f"/v1/{question}")
    assert not may("viewer", "POST", "/v1/operators")
    assert not may("viewer", "POST", "/v1/apply")
    assert not may("viewer", "DELETE", "/v1/objects")
    assert may("admin", "POST", "/v1/apply")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "roles.json"),
        ('{"tokens": [{"name": "a", "sha256": "ab", "role": "admin"}]}', "64 hex digits"),
        ('{"tokens": [{"name": "a", "sha256": "ab", "role": "king"}]}', "king"),
    ],
)
def test_files_that_give_no_roles(tmp_path: Path, text: str, said: str) -> None:
    path = roles_file(tmp_path)
    path.write_text(text)
    with pytest.raises(RolesUnusable, match=said):
        read_roles(path)
    path.chmod(0o666)
    with pytest.raises(RolesUnusable, match="chmod go-w"):
        read_roles(path)
    with pytest.raises(RolesUnusable, match="cannot be read"):
        read_roles(tmp_path / "none")


def test_a_remote_shows_no_token(tmp_path: Path) -> None:
    assert ADMIN not in repr(Remote(host="h", port=1, token=ADMIN, roots=tmp_path))
