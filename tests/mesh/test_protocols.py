"""What programs speak through the mesh: HTTP in its forms, gRPC, TLS of their own, and protocols that are no HTTP."""

import pytest

from tests.mesh.harness import Mesh, curl_status, identity

pytestmark = pytest.mark.mesh


@pytest.mark.parametrize(
    "host",
    ["echo", "echo.default", "echo.default.svc", "echo.default.svc.cluster.local"],
)
def test_a_service_is_called_by_each_of_its_names(mesh: Mesh, host: str) -> None:
    done = mesh.curl("caller", "-i", f"http://{host}:8080/names")
    assert curl_status(done) == 200, done
    assert mesh.logged("echo", direction="inbound", path="/names", authority=f"{host}:8080")[
        "peer"
    ] == identity("caller")
