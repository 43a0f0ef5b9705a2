"""The law that whatever is valid is taken by a running Envoy, for a short run and a long one."""

import asyncio
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from proa.core.config import Config, to_manifest, to_yaml
from proa.testing.strategies import valid_sets
from tests.properties.envoy.referee import Referee, Verdict, referee


def refused(configs: tuple[Config, ...], why: object) -> str:
    written = "---\n".join(to_yaml(to_manifest(config)) for config in configs)
    return f"valid objects are not taken:\n{written}\n{why}"


def hold(examples: int, seed: int | None = None, until: float | None = None, most: int = 8) -> Referee:
    """So many sets of at most `most` objects, or as many as are judged until then (of `time.monotonic`). Raises
    AssertionError with the objects and Envoy's words. Without a seed they are the same each time."""
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory(prefix="proa-law-") as folder:
        opened = referee(Path(folder))
        judge = runner.run(opened.__aenter__())
        found: list[Verdict] = []

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=seed is None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def every_set_is_taken(data: st.DataObject) -> None:
            configs = data.draw(valid_sets(most=most))
            # What is drawn may not depend on the clock. While a failure is shrunk, there is no end of time.
            if until is not None and not found and time.monotonic() > until:
                return
            verdict = runner.run(judge.judge(configs))
            if verdict.refusals:
                found.append(verdict)
                raise AssertionError(refused(configs, verdict))

        try:
            (every_set_is_taken if seed is None else seeded(seed)(every_set_is_taken))()
        finally:
            runner.run(opened.__aexit__(None, None, None))
        return judge
