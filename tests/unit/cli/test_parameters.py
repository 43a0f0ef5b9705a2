import pytest
from click.testing import CliRunner

from proa.cli.main import cli
from proa.cli.parameters import Duration
from proa.core.model.names import WorkloadId
from proa.servers.admin.operations import ProxyStatus
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve
from tests.unit.cli.test_get import stored


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("1.5m", 90)])
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


def completed(proa: Proa, *words: str) -> list[str]:
    """What bash would be offered for the last word."""
    environment = {
        "_PROA_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("proa", *words)),
        "COMP_CWORD": str(len(words)),
    }
    found = CliRunner().invoke(cli, env=environment, prog_name="proa", complete_var="_PROA_COMPLETE")
    return [line.partition(",")[2] for line in found.stdout.splitlines() if "," in line]


def test_kinds_complete(proa: Proa) -> None:
    assert set(completed(proa, "get", "v")) == {"virtualservice", "vs"}
    assert set(completed(proa, "get", "s")) >= {"serviceentry", "se", "services", "svc"}


def test_objects_and_workloads_complete_from_the_mesh(proa: Proa, serve: Serve) -> None:
    door = stored("Gateway", "door", {})
    page = ProxyStatus(id=WorkloadId("default", "page"), kind="sidecar", node="local", connected=True)
    with serve(FixedOperations(stored=(door,), proxy_statuses=(page,))):
        assert completed(proa, "get", "gw", "d") == ["door"]
        assert completed(proa, "proxy", "config", "p") == ["page"]
    assert completed(proa, "get", "gw", "d") == []
