"""One resource that Envoy refuses: the others apply, the old one serves on, and `apply --wait` says whose fault it is.

The control plane offers it through its bundles (`apps/spoiling_control_plane.py`); all else is as everywhere.
"""

import re
from collections.abc import Iterator

import pytest

from tests.mesh.harness import Completed, Mesh, curl_status
from tests.mesh.programs import APPS, FOREVER, app, until, why_no_envoy

pytestmark = pytest.mark.mesh

PROXIES = ("default/caller", "default/echo", "default/web")
GATEWAY = "istio-system/ingressgateway"


class SpoilingMesh(Mesh):
    """Its control plane offers bad resources when documents ask for them."""

    def command(self, *words: str) -> tuple[str, ...]:
        python, _, _, *rest = super().command(*words)
        return (python, str(APPS / "spoiling_control_plane.py"), *rest)


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    with SpoilingMesh("none") as mesh:
        mesh.start("serve")
        minted = mesh.proa("token", "create", "--node=here", "--allow=*/*/*", check=True)
        mesh.start("node", f"--token={minted.stdout.strip()}")
        mesh.run("caller", FOREVER, wait=False)
        mesh.run("web", app("echo"), port="8080:auto/http", wait=False)
        mesh.run("echo", app("echo"), port="8080:auto/http", wait=False)
        mesh.gateway("--namespace=istio-system", "--label=istio=ingressgateway", wait=False)
        mesh.until_healthy("caller", "web", "echo", "ingressgateway")
        yield mesh


def status(mesh: Mesh, url: str) -> int:
    return curl_status(mesh.curl("caller", "-i", url))


def abort(name: str, code: int) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [{name}]
  http:
  - fault: {{abort: {{httpStatus: {code}, percentage: {{value: 100}}}}}}
    route: [{{destination: {{host: {name}}}}}]
---"""


def limits(connect_ms: int) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: touchy}}
spec:
  host: echo
  trafficPolicy: {{connectionPool: {{tcp: {{connectTimeout: {connect_ms}ms}}}}}}
---"""


def timed(timeout_ms: int, code: int = 0) -> str:
    """A rule for `echo`; with `code` another one that answers at once."""
    answer = f"directResponse: {{status: {code}}}" if code else "route: [{destination: {host: echo}}]"
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: touchy}}
spec:
  hosts: [echo]
  http:
  - match: [{{uri: {{prefix: /other}}}}]
    {answer}
  - timeout: {timeout_ms}ms
    route: [{{destination: {{host: echo}}}}]
---"""


def door(*ports: int) -> str:
    servers = [
        f"  - {{port: {{number: {port}, name: http-{port}, protocol: HTTP}}, hosts: ['*']}}" for port in ports
    ]
    return "\n".join(
        [
            "apiVersion: networking.istio.io/v1",
            "kind: Gateway",
            "metadata: {name: touchy}",
            "spec:",
            "  selector: {istio: ingressgateway}",
            "  servers:",
            *servers,
            "---",
        ]
    )


def assert_refused(done: Completed, ref: str, proxies: tuple[str, ...], error: str) -> None:
    assert done.returncode == 1, done
    told = " ".join(done.stderr.split())
    for proxy in proxies:
        assert re.search(f"{ref}[^:]*: rejected by {proxy}: .*{re.escape(error)}", told), (proxy, told)
    names = re.search(r"error: rejected by .*?: ([\w/, -]+)", done.stderr)
    assert names
    assert names[1].splitlines()[0].split(", ") == list(proxies)


def rejected(mesh: Mesh) -> dict[str, int]:
    return {
        str(proxy.id): len(proxy.rejections) for proxy in mesh.admin.proxies().proxies if proxy.rejections
    }


def test_a_bad_cluster(mesh: Mesh) -> None:
    mesh.apply(limits(500))
    done = mesh.apply(abort("web", 418), limits(666), check=False)
    assert_refused(done, "DestinationRule/default/touchy", (*PROXIES, GATEWAY), "Expected positive duration")
    assert set(rejected(mesh)) == {*PROXIES, GATEWAY}
    assert status(mesh, "http://web:8080/") == 418, "the rest of the change applies"
    assert status(mesh, "http://echo:8080/") == 200, "the old cluster serves on"
    later = mesh.apply(abort("web", 410))
    assert later.returncode == 0, "what is refused since long is not this change's fault"
    assert status(mesh, "http://web:8080/") == 410
    mesh.apply(limits(700))
    assert rejected(mesh) == {}
    assert "0.7" in mesh.proa("proxy", "config", "caller", "-o", "json", check=True).stdout
    mesh.delete(abort("web", 410), limits(700))
    assert status(mesh, "http://web:8080/") == 200


def test_a_bad_route(mesh: Mesh) -> None:
    mesh.apply(timed(500))
    done = mesh.apply(limits(800), timed(666, 418), check=False)
    assert_refused(done, "VirtualService/default/touchy", PROXIES, "missing ]")
    assert status(mesh, "http://echo:8080/other") == 200, "the old routes serve on"
    assert status(mesh, "http://web:8080/") == 200
    mesh.apply(timed(700, 418))
    assert rejected(mesh) == {}
    assert status(mesh, "http://echo:8080/other") == 418
    mesh.delete(limits(800), timed(700))


def test_a_bad_listener(mesh: Mesh) -> None:
    mesh.apply(door(8000))
    done = mesh.apply(door(8000, 666, 8001), abort("web", 418), check=False)
    until(lambda: set(rejected(mesh)) == {GATEWAY}, "the gateway refuses the listener")
    assert done.returncode in (0, 1), "the port is bound, and with it the listener made, after the apply"
    good = f"http://127.0.0.1:{mesh.gateway_port(8001)}/"
    until(
        lambda: mesh.output_of(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", good]) == "404", good
    )
    assert status(mesh, "http://web:8080/") == 418
    mesh.apply(door(8000, 8001))
    assert rejected(mesh) == {}
    mesh.delete(door(8000, 8001), abort("web", 418))


def test_an_envoy_that_comes_later_may_refuse_too(mesh: Mesh) -> None:
    """Its agent does not answer for it while it is away."""
    mesh.apply(limits(666), check=False)
    with mesh.running("late"):
        until(lambda: "default/late" in rejected(mesh), "the new proxy refuses the cluster")
    mesh.apply(limits(700))
    mesh.delete(limits(700))
    assert rejected(mesh) == {}
