import json
from pathlib import Path

from benchmarks.figures import Figure, Goal
from benchmarks.history import append
from benchmarks.machine import Machine

MACHINE = Machine(
    cores=2,
    cpu="a cpu",
    kernel="6",
    others_load=0.1,
    envoy="1",
    python="3",
    grpcio="1",
    protobuf="7",
    commit="abc",
)


def test_a_figure_is_one_line_with_all_that_is_needed_to_judge_it(tmp_path: Path) -> None:
    found = Figure(
        benchmark="B2",
        figure="CPU",
        unit="vCPU",
        ours=(1.0, 3.0, 2.0, 2.0, 2.0),
        peer=(2.0, 2.0, 2.0, 2.0, 0.0),
        peer_name="minimal",
        goal=Goal(ratio=1.1),
        achieved=(1.0,) * 5,
        conditions={"connections": 20},
    )
    history = tmp_path / "history.jsonl"
    append(history, [found], MACHINE, 0.0)
    append(history, [found], MACHINE, 1.0)
    first, second = map(json.loads, history.read_text().splitlines())
    assert (first["time"], second["time"]) == ("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z")
    assert first["ours"] == 2.0
    assert first["raw"] == {"ours": [1.0, 3.0, 2.0, 2.0, 2.0], "peer": [2.0, 2.0, 2.0, 2.0, 0.0]}
    assert first["ratios"][-1] is None
    assert first["goal"] == "<= 1.1"
    assert first["met"] is None
    assert first["problems"] == ["a series holds no number"]
    assert first["machine"]["cpu"] == "a cpu"
    assert first["conditions"] == {"connections": 20}
