"""What every test may use or is subject to: golden files, the law tests' settings, and who may run what."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.golden_files import GoldenFiles

# A slow machine is no counterexample, neither in a test's time nor in that of drawing; pytest's own timeout ends what
# hangs. In continuous integration (a set CI, which hypothesis looks for as well) the draws are the same each time: what
# is judged there is a change, and a law that one draw of a million breaks is found by the many runs before it.
settings.register_profile(
    "proa",
    deadline=None,
    suppress_health_check=(HealthCheck.too_slow,),
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
)
settings.load_profile("proa")

GOLDEN = pytest.StashKey[GoldenFiles]()
CAP_NET_ADMIN = 1 << 12
CAP_SYS_ADMIN = 1 << 21


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite golden files; runs only their tests"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[GOLDEN] = GoldenFiles(update=config.getoption("--update-golden"))


@pytest.fixture
def golden(pytestconfig: pytest.Config) -> GoldenFiles:
    """golden(input_file, text): `text` is what the golden file beside `input_file` says."""
    return pytestconfig.stash[GOLDEN]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.stash[GOLDEN].update:
        keep(config, items, [item for item in items if "golden" in getattr(item, "fixturenames", ())])
    reason = why_no_namespaces()
    if reason:
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip(reason=reason))


def keep(config: pytest.Config, items: list[pytest.Item], kept: Iterable[pytest.Item]) -> None:
    kept = list(kept)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def why_no_namespaces() -> str | None:
    if os.geteuid() != 0:
        return "needs root"
    if shutil.which("ip") is None:
        return "needs the command ip (Debian: iproute2)"
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    wanted = CAP_NET_ADMIN | CAP_SYS_ADMIN
    if found is None or int(found[1], 16) & wanted != wanted:
        return "needs the right to make network namespaces (CAP_NET_ADMIN and CAP_SYS_ADMIN)"
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for path in config.stash[GOLDEN].rewritten:
        terminalreporter.write_line(f"rewritten: {path.relative_to(config.rootpath)}")
