import asyncio

import pytest
from atleast import AtLeast

from proa.testing.mixer_adapters import AdapterContract, Example, opened


def asks(version: str) -> Example:
    return Example(
        parameters={"minimum": "2.9"},
        instances={"listentry": {"value": 'source.labels["version"] | "0"'}},
        attributes={"source.labels": {"version": version}},
    )


class TestAtLeast(AdapterContract):
    adapter = AtLeast()
    examples = (asks("v2.10"), asks("v1"))


@pytest.mark.parametrize(
    ("version", "code", "message"),
    [
        ("v2.10", 0, ""),
        ("2.9", 0, ""),
        ("v2.8.9", 9, "version v2.8.9 is older than 2.9"),
        ("", 9, "version unknown is older than 2.9"),
    ],
)
def test_versions_are_numbers(version: str, code: int, message: str) -> None:
    async def body() -> None:
        async with opened(AtLeast(), asks(version)) as (handler, instances):
            answer = await handler.check(instances["listentry"])
            assert (answer.code, answer.message) == (code, message)

    asyncio.run(body())
