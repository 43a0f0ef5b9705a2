"""What is asked of the control plane for a scrape, and how often."""

import asyncio

from immutables import Map

from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import DescribedWorkload, DescribeReply, DescribeRequest, decode, encode
from proa.node.peer_facts import FRESH_S, MOST, PeerFacts
from proa.node.uplink import Unanswered

WEB = WorkloadId("shop", "web")


class Plane:
    def __init__(self) -> None:
        self.asked: list[DescribeRequest] = []
        self.is_away = False
        self.now = 0.0

    async def describe(self, request: DescribeRequest, within_s: float) -> DescribeReply:
        if self.is_away:
            raise Unanswered("away")
        self.asked.append(request)
        known = tuple(
            DescribedWorkload(id=each, labels=Map({"app": each.name})) for each in request.workloads
        )
        # By its spelling, as it travels.
        reply = DescribeReply(workloads=known, hosts=Map(dict.fromkeys(request.hosts, "outside")))
        return decode(encode(reply), DescribeReply)

    def facts(self) -> PeerFacts:
        return PeerFacts(self.describe, lambda: self.now)


def test_a_name_is_asked_once_until_it_is_old() -> None:
    async def scenario() -> None:
        plane = Plane()
        facts = plane.facts()
        for _ in range(3):
            found = await facts.of([str(WEB)], ["api.example.com"])
            assert found.workloads["shop/web"]["app"] == "web"
            assert found.hosts["api.example.com"] == "outside"
        assert plane.asked == [DescribeRequest(workloads=(WEB,), hosts=("api.example.com",))]
        plane.now = FRESH_S + 1
        await facts.of([str(WEB)], [])
        assert plane.asked[1:] == [DescribeRequest(workloads=(WEB,))]

    asyncio.run(scenario())


def test_what_is_known_stays_while_nobody_answers() -> None:
    async def scenario() -> None:
        plane = Plane()
        facts = plane.facts()
        await facts.of([str(WEB)], [])
        plane.is_away, plane.now = True, FRESH_S + 1
        found = await facts.of([str(WEB), "shop/new"], [])
        assert "shop/web" in found.workloads
        assert "shop/new" not in found.workloads
        plane.is_away = False
        assert "shop/new" in (await facts.of(["shop/new"], [])).workloads

    asyncio.run(scenario())


def test_many_names_are_asked_in_parts_and_not_all_remembered() -> None:
    async def scenario() -> None:
        plane = Plane()
        found = await plane.facts().of([f"shop/w{number:05}" for number in range(MOST + 5)], [])
        assert len(found.workloads) == MOST
        assert sum(len(each.workloads) for each in plane.asked) == MOST + 5
        assert max(len(each.workloads) for each in plane.asked) <= 500

    asyncio.run(scenario())
