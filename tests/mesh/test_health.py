"""Apps that die, leave or fall ill while others call them."""

import asyncio
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable

import msgspec
import pytest

from proa.core.pilot.translate.filters.names import APP_REFUSED_HEADER
from proa.testing.faults import killed
from proa.testing.http1 import Response
from proa.testing.load import LoadResult, acceptance_plan, offer_load
from tests.mesh.harness import FOREVER, Mesh, app, curl_status, until

pytestmark = pytest.mark.mesh

MARK = APP_REFUSED_HEADER
WEB = "http://web:8080"


def name_of(response: Response) -> str:
    """Which replica answered."""
    body = msgspec.json.decode(response.body) if response.status == 200 else {}
    return str(body.get("name", response.status)).rpartition("/")[2]


def load_until(
    mesh: Mesh, event: Callable[[], None], *, before: int = 40, after: int = 100, path: str = "/slow?s=0.06"
) -> LoadResult:
    """The acceptance load on `web`. `event` happens, within the loop, when `web-1` has answered `before` times, and
    the load goes on until `after` more answers came."""
    seen: list[str] = []
    stop = asyncio.Event()
    happened_at: list[int] = []

    def classify(response: Response) -> str:
        seen.append(name_of(response))
        if not happened_at and seen.count("web-1") >= before:
            happened_at.append(len(seen))
            event()
        if happened_at and len(seen) >= happened_at[0] + after:
            stop.set()
        return seen[-1]

    url = f"{WEB}{path}"
    plan = acceptance_plan(url, url, b'{"stars": 5}', seconds=30, proxy=mesh.proxy("caller"))

    async def scene() -> LoadResult:
        return await offer_load(plan, classify=classify, stop=stop)

    result = asyncio.run(scene())
    assert happened_at, f"web-1 was hardly asked: {result.summary()}"
    assert {"web-1", "web-2"} <= set(seen)
    return result


def test_an_app_killed_under_load_takes_only_what_it_was_answering(mesh: Mesh) -> None:
    with (
        mesh.running("web-1", app("echo"), "--service=web", port="8080:auto"),
        mesh.running("web-2", app("echo"), "--service=web", port="8080:auto"),
    ):
        victim = mesh.pid("web-1")
        killed_at: list[float] = []

        def kill() -> None:
            """Dead on return: until it is, it takes requests that were sent after the signal."""
            with killed(victim):
                pass
            killed_at.append(asyncio.get_running_loop().time())

        result = load_until(mesh, kill)
        until(lambda: len(mesh.endpoints("web")) == 1, "the killed one's endpoint is gone")
        assert mesh.workloads.pop("web-1").wait() == 128 + signal.SIGKILL
        in_flight = [r for r in result.records if r.sent and r.sent <= killed_at[0] <= r.ended]
        assert len(in_flight) <= 4, "one per connection"
        print(f"{len(in_flight)} in flight on either, {result.summary()}")
        beyond = [r for r in result.failures if r not in in_flight]
        assert not beyond, f"{result.summary()}: {beyond}"
        late = [r for r in result.records if r.label == "web-1" and r.sent and r.sent > killed_at[0]]
        assert not late


def test_an_app_that_is_asked_to_end_loses_no_request(mesh: Mesh) -> None:
    with (
        mesh.running("web-1", app("echo"), "--service=web", port="8080:auto"),
        mesh.running("web-2", app("echo"), "--service=web", port="8080:auto"),
    ):
        leaving = mesh.workloads["web-1"]
        result = load_until(mesh, lambda: leaving.send(signal.SIGTERM))
        assert not result.failures, result.summary()
        assert leaving.wait() == 0, "the app ends in good order when it is told to"
        del mesh.workloads["web-1"]


def test_an_app_that_says_it_is_ill_gets_no_request_until_it_is_well(mesh: Mesh) -> None:
    with mesh.running("web-1", app("echo"), "--service=web", "--health-http=/health", port="8080:auto"):
        own = f"http://127.0.0.1:{mesh.summary('web-1').ports[0].app_port}/health"

        def say(status: int) -> None:
            with urllib.request.urlopen(f"{own}?status={status}", data=b""):
                pass

        assert curl_status(mesh.curl("caller", "-i", f"{WEB}/well")) == 200
        with pytest.raises(urllib.error.HTTPError) as ill:
            say(503)
        ill.value.close()
        until(lambda: mesh.health("web-1") == "UNHEALTHY", "the control plane knows that it is ill")
        mesh.settle()
        assert curl_status(mesh.curl("caller", "-i", f"{WEB}/ill")) == 503
        assert "/ill" not in mesh.workloads["web-1"].output
        say(200)
        mesh.until_healthy("web-1")
        assert curl_status(mesh.curl("caller", "-i", f"{WEB}/again")) == 200


def test_a_service_without_a_living_server_answers_at_once(mesh: Mesh) -> None:
    with mesh.running("web-1", app("echo"), "--service=web", port="8080:auto"):
        os.kill(mesh.pid("web-1"), signal.SIGKILL)
        assert mesh.workloads.pop("web-1").wait() == 128 + signal.SIGKILL
        mesh.settle()
        done = mesh.curl("caller", "-i", "-w", "took %{time_total}", f"{WEB}/nobody")
        assert curl_status(done) in (502, 503), done
        assert float(done.stdout.rpartition("took ")[2]) < 5


def test_a_request_that_an_app_did_not_accept_goes_to_another_replica(mesh: Mesh) -> None:
    """`web-1` says it is well and listens nowhere. Its sidecar marks what it could not hand over, and only that is
    safe to send elsewhere, a POST too. Nobody but sidecars sees the mark."""
    with (
        mesh.running("web-1", FOREVER, "--service=web", "--health-exec=true", port="8080:auto"),
        mesh.running("web-2", app("echo"), "--service=web", port="8080:auto"),
    ):
        for number in range(6):
            done = mesh.curl("caller", "-i", "-d", "once", f"{WEB}/elsewhere/{number}")
            assert curl_status(done) == 200, done
            assert MARK not in done.stdout
        assert [line for line in mesh.access_log("web-1") if "/elsewhere/" in str(line.get("path"))]
        seen = mesh.workloads["web-2"].output
        assert [seen.count(f"seen POST /elsewhere/{number}\n") for number in range(6)] == [1] * 6
        mesh.stop("web-2")
        done = mesh.curl("caller", "-i", f"{WEB}/nowhere")
        assert curl_status(done) == 503
        assert MARK not in done.stdout


def test_an_app_cannot_forge_the_mark_of_a_refusal(mesh: Mesh) -> None:
    done = mesh.curl("caller", "-i", "-d", "once", f"http://echo:8080/reply?status=503&name={MARK}&value=1")
    assert curl_status(done) == 503
    assert MARK not in done.stdout
    assert mesh.workloads["echo"].output.count("seen POST /reply\n") == 1, "it was sent once"
