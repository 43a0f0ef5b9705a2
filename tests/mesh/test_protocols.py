"""What programs speak through the mesh: HTTP in its forms, gRPC, TLS of their own, and protocols that are no HTTP."""

import json
import shutil

import pytest

from tests.mesh.harness import FOREVER, Mesh, app, curl_status, identity

pytestmark = pytest.mark.mesh

CALLER = identity("caller")
REDIS = ("sh", "-c", "exec redis-server --port $PORT --bind 127.0.0.1 --save '' --dir /tmp")


@pytest.mark.parametrize(
    "host", ["echo", "echo.default", "echo.default.svc", "echo.default.svc.cluster.local"]
)
def test_a_service_is_called_by_each_of_its_names(mesh: Mesh, host: str) -> None:
    done = mesh.curl("caller", "-i", f"http://{host}:8080/names/{host}")
    assert curl_status(done) == 200, done
    line = mesh.logged("echo", direction="inbound", path=f"/names/{host}")
    assert (line["peer"], line["authority"]) == (CALLER, f"{host}:8080")


def test_absolute_form_requests_reach_the_app_as_it_expects_them(mesh: Mesh) -> None:
    """The app sees origin-form, its own authority, and no trace of the proxy's wire."""
    done = mesh.curl("caller", "-H", "x-mine: kept", "http://echo:8080/plain?a=1&b=%20")
    got = json.loads(done.stdout)
    assert (got["path"], got["headers"]["host"], got["headers"]["x-mine"]) == (
        "/plain?a=1&b=%20",
        "echo:8080",
        "kept",
    )
    assert not [name for name in got["headers"] if name.startswith("proxy-")], got["headers"]
    assert mesh.logged("caller", direction="outbound", path="/plain?a=1&b=%20")["upstream_peer"] == identity(
        "echo"
    )


def test_a_connect_tunnel_carries_http1(mesh: Mesh) -> None:
    done = mesh.curl("caller", "-p", "http://echo:8080/tunnel")
    assert json.loads(done.stdout)["path"] == "/tunnel", done
    line = mesh.logged("echo", direction="inbound", path="/tunnel")
    assert (line["peer"], line["protocol"]) == (CALLER, "HTTP/1.1")


def test_a_connect_tunnel_carries_http2_with_prior_knowledge(mesh: Mesh) -> None:
    """The app of `greeter` is a gRPC server, so it answers HTTP/2 and nothing else."""
    with mesh.running("greeter", app("greeter", "serve"), port="50051:auto"):
        words = ("-i", "--http2-prior-knowledge", "-p", "-H", "content-type: application/grpc", "-d", "")
        done = mesh.curl("caller", *words, "http://greeter:50051/nowhere")
        assert "HTTP/2 200" in done.stdout, done
        assert "grpc-status" in done.stdout
        line = mesh.logged("greeter", direction="inbound", path="/nowhere")
        assert (line["peer"], line["protocol"]) == (CALLER, "HTTP/2")


def test_one_connection_carries_many_requests_and_bodies(mesh: Mesh) -> None:
    done = mesh.exec("caller", *app("requests_in_a_row", "http://echo:8080/row"))
    assert done.stdout.splitlines() == [
        "200 GET 0",
        f"200 POST {1 << 20}",
        "200 POST 60000",
        "200 GET 0",
    ], done


def test_a_websocket_stays_open_both_ways(mesh: Mesh) -> None:
    done = mesh.exec("caller", *app("websocket_client", "http://echo:8080/ws", "one", "two"))
    assert done.stdout.splitlines() == ["default/echo: one", "default/echo: two"], done


@pytest.mark.parametrize("port", ["50051:auto/grpc", "50051:auto"], ids=["declared", "undeclared"])
def test_grpc_by_the_proxy_variables_alone(mesh: Mesh, port: str) -> None:
    with mesh.running("greeter", app("greeter", "serve"), port=port):
        done = mesh.exec("caller", *app("greeter", "call", "greeter:50051"))
        assert done.stdout.splitlines() == ["hello proa", "1 a", "2 b", "3 c"], done
        for call in ("Hello", "Count"):
            path = f"/proa.test.Greeter/{call}"
            line = mesh.logged("greeter", direction="inbound", path=path, peer=CALLER)
            assert line["protocol"] == "HTTP/2"


@pytest.mark.parametrize("port", ["8443:auto", "8443:auto/tls"], ids=["undeclared", "declared"])
def test_tls_of_the_app_passes_through_inside_the_mesh(mesh: Mesh, port: str) -> None:
    with mesh.running("secure", app("secure"), port=port):
        done = mesh.curl("caller", "-kv", "https://secure:8443/inside")
        assert done.stdout == "secure /inside", done
        assert "CN=secure.example" in done.stderr, "the certificate the client sees is the app's own"
        # A tunnel is logged when it ends; no path, because nobody between the two can read one.
        line = mesh.logged("secure", direction="inbound", peer=CALLER)
        assert "path" not in line


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server (Debian: redis-server)")
def test_redis_through_an_upstream(mesh: Mesh) -> None:
    with (
        mesh.running("redis", REDIS, port="6379:auto/tcp"),
        mesh.running("cart", FOREVER, "--upstream", "redis:6379"),
    ):
        done = mesh.exec("cart", *app("cart"))
        assert done.stdout.strip() == "[1, 2, b'a boat']", done
        assert mesh.logged("redis", direction="inbound", peer=identity("cart"))["bytes_in"]


@pytest.mark.parametrize("port", ["2525:auto/tcp", "2525:auto"], ids=["declared", "undeclared"])
def test_a_server_that_speaks_first(mesh: Mesh, port: str) -> None:
    """By a local port and by CONNECT. Undeclared, both inspectors wait for a client that says nothing."""
    with (
        mesh.running("greeting", app("greeting"), port=port),
        mesh.running("mailer", FOREVER, "--upstream", "greeting:2525"),
    ):
        said = ["220 proa greets you", "you said helo"]
        local = mesh.environment("mailer")["PROA_UPSTREAM_GREETING"]
        assert mesh.exec("mailer", *app("line_client", local, "helo")).stdout.splitlines() == said
        assert mesh.logged("greeting", direction="inbound", peer=identity("mailer"))
        done = mesh.exec("caller", *app("line_client", "--connect", "greeting:2525", "helo"))
        assert done.stdout.splitlines() == said, done
        assert mesh.logged("greeting", direction="inbound", peer=CALLER)
