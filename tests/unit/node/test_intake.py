"""Whether a node takes workloads outlives its agent."""

import asyncio
from pathlib import Path

from proa.node.intake import REFUSAL, Intake


def test_a_node_takes_workloads_until_it_is_drained_and_again_when_it_is_not(tmp_path: Path) -> None:
    intake = Intake(tmp_path)
    assert intake.refusal is None
    asyncio.run(intake.close())
    assert intake.refusal == REFUSAL
    assert Intake(tmp_path).refusal == REFUSAL, "the next agent knows"
    asyncio.run(intake.open())
    assert intake.refusal is None
    assert Intake(tmp_path).refusal is None
    asyncio.run(intake.open())
