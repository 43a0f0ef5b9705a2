import json

from tests.unit.cli.conftest import Proa


def test_all_kinds_with_counts(proa: Proa) -> None:
    result = proa("compat")

    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if " WasmPlugin " in line)
    assert "read only" in line


def test_the_fields_of_a_kind_by_its_short_name(proa: Proa) -> None:
    lines = proa("compat", "pa").stdout.splitlines()

    assert [line.split()[:3] for line in lines[1:3]] == [
        ["PeerAuthentication", "selector", "supported"],
        ["PeerAuthentication", "mtls", "supported"],
    ]


def test_for_programs(proa: Proa) -> None:
    (found,) = json.loads(proa("compat", "EnvoyFilter", "-o", "json").stdout)["kinds"]
    assert found["group"] == "networking.istio.io"
    assert "EnvoyFilter" in proa("compat", "EnvoyFilter", "-o", "yaml").stdout
    assert proa("compat", "-o", "markdown").stdout.startswith("# What of Istio")


def test_a_kind_that_is_not(proa: Proa) -> None:
    result = proa("compat", "Deployment")
    assert result.exit_code == 2
    assert "there is no kind 'Deployment'" in result.stderr
