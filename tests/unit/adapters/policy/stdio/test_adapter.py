import asyncio
import json
import os
from pathlib import Path

import pytest
from immutables import Map

from proa.adapters.policy.stdio import StdioAdapter
from proa.adapters.policy.stdio.adapter import rotation_of
from proa.adapters.policy.stdio.outputs import Rotation
from proa.core.attributes.value_types import Timestamp, Value
from proa.core.config.mixer.annotations import Bounds
from proa.core.config.mixer.parameters import Stdio
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.dispatch import reports
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.templates import Instance
from proa.ports.failures import HandlerTemporary
from proa.testing.mixer import all_run, mixer_config, rule


def plan_of(parameters: Stdio) -> HandlerPlan:
    return HandlerPlan(
        name="h.stdio.default",
        adapter="stdio",
        parameters=parameters,
        instances=Map(),
        identity="",
        bounds=Bounds(),
    )


def entry(number: int) -> Instance:
    return Instance(name="log.logentry.default", template="logentry", fields=Map(variables=Map(n=number)))


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["n"] for line in path.read_text().splitlines()]


def test_from_the_objects_to_the_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    handler = mixer_config("stdio", "handler", {"logStream": "FILE", "outputPath": str(path)})
    log = mixer_config(
        "logentry",
        "access",
        {
            "severity": '"warning"',
            "timestamp": "request.time",
            "variables": {"code": "response.code | 0", "user": 'request.headers["user"] | "unknown"'},
        },
    )
    plan = compile_plan([handler, log, rule("r", "handler", "access")], all_run()).plan
    bag: dict[str, Value] = {
        "destination.namespace": "default",
        "request.time": Timestamp(0),
        "request.headers": {},
        "response.code": 418,
    }

    async def body() -> None:
        (call,) = reports(plan, bag).calls
        assert call.instance is not None
        async with StdioAdapter().open(plan.handlers["handler.stdio.default"]) as opened:
            await opened.report((call.instance,))

    asyncio.run(body())
    assert json.loads(path.read_text()) == {
        "level": "warn",
        "time": "1970-01-01T00:00:00.000000Z",
        "instance": "access.logentry.default",
        "code": 418,
        "user": "unknown",
    }


@pytest.mark.parametrize("stream", ["STDOUT", "STDERR"])
def test_the_process_has_two_streams(stream: str, capfd: pytest.CaptureFixture[str]) -> None:
    async def body() -> None:
        async with StdioAdapter().open(plan_of(Stdio(log_stream=stream))) as handler:  # type: ignore[arg-type]
            await handler.report((entry(1), entry(2)))
            await handler.report(())

    asyncio.run(body())
    captured = capfd.readouterr()
    lines = (captured.out if stream == "STDOUT" else captured.err).splitlines()
    assert [json.loads(line)["n"] for line in lines] == [1, 2]


def test_handlers_of_one_file_write_whole_batches_while_one_takes_the_others_place(tmp_path: Path) -> None:
    path = tmp_path / "log"
    parameters = Stdio(log_stream="FILE", output_path=str(path))

    async def body() -> None:
        adapter = StdioAdapter()
        async with adapter.open(plan_of(parameters)) as new:
            async with adapter.open(plan_of(parameters)) as old, asyncio.TaskGroup() as group:
                for batch in range(20):
                    some = tuple(entry(batch * 50 + number) for number in range(50))
                    group.create_task((old, new)[batch % 2].report(some))
            await new.report((entry(1000),))

    asyncio.run(body())
    assert numbers(path) == list(range(1001))


def test_a_reader_that_does_not_read_costs_bounded_memory_and_named_failures() -> None:
    """The stream is a pipe that is full. What does not fit is refused; what was begun is written."""
    reader, writer = os.pipe()
    saved = os.dup(2)
    os.dup2(writer, 2)
    many = tuple(entry(number) for number in range(2000))

    async def body() -> int:
        adapter = StdioAdapter(most_waiting=1000)
        async with adapter.open(plan_of(Stdio(log_stream="STDERR"))) as handler, asyncio.TaskGroup() as group:
            hung = group.create_task(handler.report(many))
            await asyncio.sleep(0)
            with pytest.raises(HandlerTemporary, match="STDERR takes no lines now"):
                await handler.report((entry(1),))
            read = 0
            while read < len(many):
                read += (await asyncio.to_thread(os.read, reader, 1 << 20)).count(b"\n")
            await hung
            await handler.report((entry(2),))
            return read

    try:
        assert asyncio.run(body()) == len(many)
    finally:
        os.dup2(saved, 2)
        for number in (reader, writer, saved):
            os.close(number)


def test_a_file_that_cannot_be_opened_can_be_tried_again(tmp_path: Path) -> None:
    parameters = Stdio(log_stream="FILE", output_path=str(tmp_path / "taken" / "log"))
    (tmp_path / "taken").write_text("a file where a folder is due")

    async def body() -> None:
        adapter = StdioAdapter()
        with pytest.raises(HandlerTemporary, match="taken/log cannot be written"):
            async with adapter.open(plan_of(parameters)):
                pass
        (tmp_path / "taken").unlink()
        async with adapter.open(plan_of(parameters)) as handler:
            await handler.report((entry(1),))

    asyncio.run(body())
    assert numbers(tmp_path / "taken" / "log") == [1]


def test_parameters_of_rotation() -> None:
    assert rotation_of(Stdio(log_stream="FILE", output_path="a")) is None
    rotated = Stdio(log_stream="ROTATED_FILE", output_path="a")
    assert rotation_of(rotated) == Rotation(most_bytes=100 * 1024 * 1024, days=30, files=1000)
    said = Stdio(
        log_stream="ROTATED_FILE",
        max_megabytes_before_rotation=1,
        max_days_before_rotation=0,
        max_rotated_files=0,
    )
    assert rotation_of(said) == Rotation(most_bytes=1024 * 1024, days=0, files=0)


def test_a_file_is_rotated_by_the_handlers_parameters(tmp_path: Path) -> None:
    parameters = Stdio(
        log_stream="ROTATED_FILE",
        output_path=str(tmp_path / "mixer.log"),
        max_megabytes_before_rotation=1,
        max_rotated_files=1,
    )
    long = Instance(name="l", template="logentry", fields=Map(variables=Map(text="x" * 600_000)))

    async def body() -> None:
        async with StdioAdapter().open(plan_of(parameters)) as handler:
            for _ in range(4):
                await handler.report((long,))

    asyncio.run(body())
    assert len(list(tmp_path.iterdir())) == 2
