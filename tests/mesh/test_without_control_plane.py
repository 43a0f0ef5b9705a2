"""What goes on while the control plane is away: requests, Envoys that are killed, and a host that lost its power.

One mesh for the file, its control plane and its agent programs of their own, so that each can be killed.
"""

import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from proa.core.pilot.resource import ResourceType
from proa.core.sidecar.table_file import decode_table
from proa.testing.faults.processes import paused
from tests.mesh.harness import FOREVER, app, curl_status, until, why_no_envoy
from tests.mesh.load import ECHO
from tests.mesh.outages import (
    Host,
    control_plane_killed,
    control_plane_parted,
    control_plane_stopped,
    door,
    envoy_killed,
    one_host,
    place,
    power_cut,
    power_cut_and_back,
    serves,
    start_alone,
    two_hosts,
    without_control_plane,
)

pytestmark = pytest.mark.mesh

AWAY_S: Final = 5.0
AROUND_S: Final = 2.0


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    if shutil.which("curl") is None:
        pytest.skip("needs the command curl")
    with one_host() as host:
        yield host


def test_the_control_plane_is_killed_and_nobody_notices(host: Host) -> None:
    outage = control_plane_killed(host, away_s=AWAY_S, around_s=AROUND_S)
    print(f"{outage.load.summary()}; back {outage.back_s:.2f} s after the start of a new control plane")
    assert not outage.load.failures, outage.load.summary()
    assert outage.load.sent > 50 * AWAY_S
    assert outage.resent == 0, "nothing changed, so nothing is sent"


def test_the_control_plane_stands_still_and_nobody_notices(host: Host) -> None:
    """Longer than an agent waits for a sign of life, so that it gives the connection up."""
    outage = control_plane_stopped(host, away_s=0, around_s=AROUND_S)
    assert not outage.load.failures, outage.load.summary()
    assert outage.resent == 0, "nothing changed, so nothing is sent"


@pytest.mark.root
def test_the_control_plane_is_parted_from_the_node_and_nobody_notices() -> None:
    if reason := why_no_envoy():
        pytest.skip(reason)
    with two_hosts() as host:
        outage = control_plane_parted(host, away_s=0, around_s=AROUND_S)
    print(f"{outage.load.summary()}; back {outage.back_s:.2f} s after the network")
    assert not outage.load.failures, outage.load.summary()
    assert outage.resent == 0, "nothing changed, so nothing is sent"


def counted(policy: str) -> str:
    """A limit that nobody meets, and what becomes of requests when nobody counts."""
    return f"""
apiVersion: config.istio.io/v1alpha2
kind: quota
metadata: {{name: calls}}
---
apiVersion: config.istio.io/v1alpha2
kind: memquota
metadata: {{name: limits}}
spec: {{quotas: [{{name: calls.quota.default, maxAmount: 1000, validDuration: 600s}}]}}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {{name: count, annotations: {{proa.dev/failure-policy: {policy}}}}}
spec: {{actions: [{{handler: limits.memquota, instances: [calls.quota]}}]}}
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpec
metadata: {{name: calls}}
spec: {{rules: [{{quotas: [{{quota: calls, charge: 1}}]}}]}}
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata: {{name: calls}}
spec: {{quotaSpecs: [{{name: calls}}], services: [{{name: echo}}]}}
"""


def statuses(host: Host, number: int = 3) -> list[str]:
    words = ("-o", "/dev/null", "-w", "%{http_code} ", "http://echo:8080/")
    return [host.node.curl("caller", *words).stdout.strip() for _ in range(number)]


def test_quotas_are_open_or_closed_while_nobody_counts(host: Host) -> None:
    """A control plane that is gone, and one that stands still: then each request waits as long as the handlers may
    take, and no longer, or it would not be answered here."""
    with host.control.applied(counted("open")):
        assert statuses(host) == ["200"] * 3
        with without_control_plane(host):
            assert statuses(host) == ["200"] * 3
        host.control.settle()
        assert statuses(host) == ["200"] * 3
        host.control.apply(counted("closed"))
        until(lambda: statuses(host) == ["200"] * 3, "a control plane that is slow at first counts")
        with paused(host.control.parts["serve"].pid):
            assert statuses(host, 2) == ["503"] * 2
        until(lambda: statuses(host) == ["200"] * 3, "it counts again")


def test_an_envoy_killed_while_the_control_plane_is_away_serves_again(host: Host) -> None:
    with without_control_plane(host):
        for name in ("echo", "caller"):
            recovery = envoy_killed(host, name, around_s=AROUND_S)
            print(f"{name}: serves again {recovery.serving_s:.2f} s after kill -9; {recovery.load.summary()}")


NOT_ON_A_LIST: Final = """
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {{name: words, annotations: {{proa.dev/deadline: 30s}}}}
spec: {{providerUrl: "http://127.0.0.1:1/words", overrides: [known, new], refreshInterval: 600s, ttl: 600s}}
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {{name: word}}
spec: {{value: 'request.headers["x-word"] | "none"'}}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {{name: words, annotations: {{proa.dev/failure-policy: {policy}}}}}
spec:
  match: request.path == "/mixer"
  actions:
  - handler: words.listchecker
    instances: [word.listentry]
"""


def test_mixers_rules_are_kept_by_proxies_and_fail_as_they_say(host: Host) -> None:
    """What a proxy was told it goes on with; of the rest each rule's policy decides, within the rule's deadline."""

    def status(word: str) -> int:
        return curl_status(host.node.curl("caller", "-i", "-H", f"x-word: {word}", f"{ECHO}/mixer"))

    for policy, undecided in (("closed", 503), ("open", 200)):
        with host.control.applied(NOT_ON_A_LIST.format(policy=policy)):
            # More often than the proxy has workers, each of which keeps verdicts of its own.
            assert {status("known") for _ in range(20)} == {200}
            with without_control_plane(host):
                found = [status("new") for _ in range(3)]
                assert found == [undecided] * 3
                assert 200 in {status("known") for _ in range(8)}
            until(lambda: status("new") == 200, "it is asked again")


def test_after_a_power_cut_a_host_comes_up_from_disk_alone(host: Host) -> None:
    host.control.settle()
    with without_control_plane(host):
        print(f"serving {power_cut_and_back(host):.2f} s after the power cut")
        refused = host.node.run("stranger", FOREVER, wait=False)
        refused.until_printed("still waiting")
        assert "is in the mesh" not in refused.output, "nobody has ever accepted it"
        refused.stop()
        del host.node.workloads["stranger"]
    for name in ("caller", "echo"):
        host.node.workloads[name].until_printed("is back and has accepted")
    assert serves(host.node)


def test_a_gateway_serves_its_ports_from_disk(host: Host) -> None:
    with host.control.applied(door(18473)):
        host.node.gateway()
        port = host.node.gateway_port(18473)
        url = f"http://127.0.0.1:{port}/through"
        until(lambda: is_answered(url), "the gateway serves")
        table = host.node.home.workload_dir("istio-system/ingressgateway") / "table"
        until(lambda: holds_route(table) and host.table("echo").exists(), "tables are on disk")
        host.control.settle()
        with without_control_plane(host):
            power_cut(host.node)
            assert not is_answered(url)
            start_alone(host.node)
            place(host.node)
            gateway = host.node.gateway(wait=False)
            gateway.until_printed(f"gateway port 18473: http://127.0.0.1:{port}")
            until(lambda: is_answered(url), "the gateway serves again at the same port")
        assert host.node.gateway_port(18473) == port
        assert is_answered(url)
        host.node.stop("ingressgateway")


def holds_route(table: Path) -> bool:
    """A route is the last thing that an Envoy asks for: when it is there, all is."""
    if not table.exists():
        return False
    read = decode_table(table.read_bytes())
    return bool(read.gateway_ports) and any(each.type is ResourceType.ROUTE for each in read.resources)


def is_answered(url: str) -> bool:
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"host": "door.example.com"}), timeout=20
        ) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_a_spoiled_table_is_not_believed(host: Host) -> None:
    host.node.stop("echo")
    host.table("echo").write_bytes(b"proa-table 1 0\nnonsense")
    host.node.run("echo", app("echo"), port="8080:auto")
    assert serves(host.node)
    log = host.node.parts["node"].output
    assert "default_echo: the table on disk is of no use and removed: the checksum is wrong" in log
    table = host.table("echo")
    until(lambda: table.exists() and table.stat().st_size > 1000, "a good one is written")
