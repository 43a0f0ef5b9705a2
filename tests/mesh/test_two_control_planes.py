"""Two control planes on one etcd serve one mesh, and either may die at any moment.

One mesh for the file: two nodes, whose agents know both control planes, and one etcd. Each test leaves everything
running and settled.
"""

import asyncio
import contextlib
import functools
import os
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Final

import msgspec
import pytest

from proa.core.auth.tokens import decode_token, encode_token
from proa.node.join import JoinRefused, join
from proa.testing.faults import killed, paused
from tests.etcd_process import EtcdProcess, why_no_etcd
from tests.mesh.asking_rules import Words, on_list
from tests.mesh.harness import FOREVER, Completed, Mesh, app, curl_status, until, why_no_envoy
from tests.mesh.load import ECHO, load_during
from tests.mesh.outages import held_flags, metric

pytestmark = pytest.mark.mesh

KILLS: Final = 3
TOKENS: Final = 12
ROUTE: Final = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: echo}}
spec:
  hosts: [echo]
  http:
  - timeout: {seconds}s
    route:
    - destination: {{host: echo}}
"""
MODE: Final = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: default}}
spec: {{mtls: {{mode: {mode}}}}}
"""
SHARED_LIMIT: Final = """
apiVersion: config.istio.io/v1alpha2
kind: quota
metadata: {name: calls}
---
apiVersion: config.istio.io/v1alpha2
kind: memquota
metadata: {name: limits, annotations: {proa.dev/deadline: 10s}}
spec: {quotas: [{name: calls.quota.default, maxAmount: 4, validDuration: 600s}]}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: count, annotations: {proa.dev/failure-policy: closed}}
spec: {actions: [{handler: limits.memquota, instances: [calls.quota]}]}
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpec
metadata: {name: calls}
spec: {rules: [{quotas: [{quota: calls, charge: 1}]}]}
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata: {name: calls}
spec: {quotaSpecs: [{name: calls}], services: [{name: echo}]}
"""
PLACES: Final = frozenset({"default/caller", "default/echo", "default/echo-2"})


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """`nodes` has `caller` and one `echo` on the first, another `echo` on the second."""

    etcd: EtcdProcess
    controls: tuple[Mesh, Mesh]
    flags: dict[int, tuple[str, ...]]
    nodes: tuple[Mesh, Mesh]

    def kill(self, number: int) -> None:
        program = self.controls[number].parts["serve"]
        with killed(program.pid):
            program.wait()

    def start(self, number: int) -> None:
        self.controls[number].start("serve", *self.flags[number])

    def is_settled(self) -> bool:
        """Both control planes know all workloads as healthy, and every proxy as connected."""
        return all(self.is_known_at(control) for control in self.controls)

    def is_known_at(self, control: Mesh) -> bool:
        connected = {str(each.id) for each in control.admin.proxies().proxies if each.connected}
        healthy = [each for each in control.endpoints("echo") if each.health == "HEALTHY"]
        return connected == PLACES and len(healthy) == 2

    def settle(self) -> None:
        until(self.is_settled, "both control planes know all of the mesh", 60)
        for control in self.controls:
            control.settle()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    if reason := why_no_envoy() or why_no_etcd():
        pytest.skip(reason)
    seal = tmp_path_factory.mktemp("seal") / "seal.key"
    seal.write_bytes(b64encode(os.urandom(32)))
    seal.chmod(0o600)
    with contextlib.ExitStack() as stack:
        etcd = stack.enter_context(EtcdProcess())
        store = (f"--store={etcd.address('mesh')}", f"--seal-key-file={seal}")
        flags = {number: (*stack.enter_context(held_flags()), *store) for number in (0, 1)}
        first, second = (stack.enter_context(Mesh("serve", *flags[number])) for number in (0, 1))
        nodes = tuple(
            stack.enter_context(Mesh("node", f"--token={_token(first, name)}", control=control))
            for name, control in (("here", first), ("there", second))
        )
        made = Pair(etcd=etcd, controls=(first, second), flags=flags, nodes=(nodes[0], nodes[1]))
        nodes[0].run("caller", FOREVER, wait=False)
        nodes[0].run("echo", app("echo"), port="8080:auto", wait=False)
        nodes[1].run("echo-2", app("echo"), "--service=echo", port="8080:auto", wait=False)
        made.settle()
        yield made


def _token(control: Mesh, node: str) -> str:
    return control.proa("token", "create", "--node", node, "--allow=*/*/*", check=True).stdout.strip()


def test_what_is_applied_at_one_is_live_everywhere(pair: Pair) -> None:
    for number, control in enumerate(pair.controls):
        done = control.apply(ROUTE.format(seconds=7 + number))
        assert "live on 3 proxies" in done.stdout, done
    first, second = (control.admin for control in pair.controls)
    assert first.services() == second.services()
    assert pair.controls[0].objects() == pair.controls[1].objects()
    assert first.status().config_version == second.status().config_version
    assert curl_status(pair.nodes[0].curl("caller", "-i", f"{ECHO}/there")) == 200


def test_a_mode_changes_in_step_at_both(pair: Pair) -> None:
    """No client of one control plane calls a server of the other in a way that this one does not take any more."""

    def fault() -> None:
        for number, mode in enumerate(("DISABLE", "STRICT", "PERMISSIVE", "STRICT")):
            pair.controls[number % 2].apply(MODE.format(mode=mode))
            assert pair.controls[0].admin.services() == pair.controls[1].admin.services()

    result = load_during(pair.nodes[0], fault, around_s=2)
    assert not result.failures, result.summary()
    pair.controls[0].delete(MODE.format(mode="STRICT"))
    pair.settle()


def test_one_is_killed_again_and_again(pair: Pair) -> None:
    took: list[float] = []

    def fault() -> None:
        for number in range(KILLS):
            victim, other = number % 2, pair.controls[1 - number % 2]
            sent = metric(other, "proa_xds_resources_sent_total{")
            pair.kill(victim)
            if number > 0:  # the first time the change comes right after the kill
                until(functools.partial(pair.is_known_at, other), "every proxy is at the other", 30)
                assert metric(other, "proa_xds_resources_sent_total{") == sent, (
                    "what has not changed is not sent"
                )
            began = time.monotonic()
            applied = other.apply(ROUTE.format(seconds=20 + number))
            took.append(time.monotonic() - began)
            assert "live on 3 proxies" in applied.stdout, applied
            pair.start(victim)
            pair.settle()

    result = load_during(pair.nodes[0], fault, around_s=2)
    print(f"{result.summary()}; apply --wait took {', '.join(f'{each:.2f}' for each in took)} s")
    assert not result.failures, result.summary()


def test_one_of_them_counts_and_the_other_is_next(pair: Pair) -> None:
    """Two servers, of which each has its agent at another control plane, share one count."""

    def statuses(number: int) -> list[int]:
        return [curl_status(pair.nodes[0].curl("caller", "-i", f"{ECHO}/there")) for _ in range(number)]

    def charges() -> list[float]:
        return [metric(control, "proa_mixer_quota_charges_total") for control in pair.controls]

    before = charges()
    with pair.controls[0].applied(SHARED_LIMIT):
        pair.settle()
        assert sorted(statuses(8)) == [200] * 4 + [429] * 4
        counted = [now - then for now, then in zip(charges(), before, strict=True)]
        assert sorted(counted) == [0, 8], "one of them was asked"
        owner = counted.index(8)
        pair.kill(owner)
        found: list[int] = []

        def refused() -> bool:
            found.extend(statuses(1))
            return found.count(429) == 4

        until(refused, "the other counts")
        assert found.count(200) == 4, "it begins anew"
        assert set(found) <= {200, 429, 503}
        pair.start(owner)
        pair.settle()


@pytest.mark.endurance
def test_checks_are_answered_while_one_is_killed(pair: Pair) -> None:
    """Each request is asked about: no verdict is good for two."""

    def fault() -> None:
        for victim in (0, 1):
            pair.kill(victim)
            until(functools.partial(pair.is_known_at, pair.controls[1 - victim]), "all are at the other", 30)
            pair.start(victim)
            pair.settle()

    with Words("bad") as words:
        unique = 'request.headers["x-request-id"] | "none"'
        rule = on_list(words, blacklist=True, value=unique)
        with pair.controls[0].applied(rule):
            result = load_during(pair.nodes[0], fault, around_s=1)
            assert not result.failures, result.summary()
            lived = [metric(each, "proa_mixer_checks_total{") for each in pair.controls]
    print(f"{result.summary()}; checks counted by those that live now: {lived}")
    assert all(lived), "both were asked after they came back"
    pair.settle()


def test_no_token_is_taken_twice(pair: Pair) -> None:
    """Each is brought to both at once, from two sides."""
    addresses = [str(control.admin.status().addresses["join"]) for control in pair.controls]

    async def bring(text: str, address: str) -> str:
        moved = msgspec.structs.replace(decode_token(text), join=address)
        try:
            await join(encode_token(moved))
            return "joined"
        except JoinRefused as refused:
            return str(refused)

    async def all_at_once(texts: list[str]) -> None:
        for text in texts:
            async with asyncio.TaskGroup() as tasks:
                tried = [tasks.create_task(bring(text, address)) for address in addresses * 2]
            told = sorted(each.result() for each in tried)
            assert told.count("joined") == 1, told
            assert sum("has been used" in each for each in told) == 3, told

    texts = [_token(pair.controls[number % 2], f"guest-{number}") for number in range(TOKENS)]
    asyncio.run(all_at_once(texts))


def test_without_etcd_traffic_goes_on_and_changes_are_refused(pair: Pair) -> None:
    refused: list[Completed] = []

    def apply() -> None:
        refused.append(pair.controls[0].apply(ROUTE.format(seconds=40), wait=False, check=False))

    def fault() -> None:
        with paused(pair.etcd.pid):
            apply()
        pair.etcd.kill()
        apply()
        threading.Event().wait(8)  # longer than a control plane without etcd counts as present
        pair.etcd.start()
        until(
            lambda: pair.controls[1].apply(ROUTE.format(seconds=41), check=False).returncode == 0,
            "it works",
            60,
        )

    result = load_during(pair.nodes[0], fault, around_s=2)
    print(result.summary())
    assert not result.failures, result.summary()
    for done in refused:
        assert done.returncode == 1
        assert "etcd at 127.0.0.1" in done.stderr, done
    pair.settle()
    assert curl_status(pair.nodes[0].curl("caller", "-i", f"{ECHO}/there")) == 200
