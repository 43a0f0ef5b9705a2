"""`serve` and `node` that cannot start: one line that says why, no traceback, the exit code of the kind of mistake."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Proa

FREE_PORTS = ("--xds-port=0", "--join-port=0", "--metrics-port=0")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("port", ["xds", "join", "metrics"])
def test_a_taken_port_is_named(proa: Proa, taken: int, port: str) -> None:
    result = proa("serve", *FREE_PORTS, f"--{port}-port={taken}")

    assert result.exit_code == 1
    assert f"port {taken} of 127.0.0.1 is taken" in result.stderr
    assert "choose other ports" in result.stderr


def test_another_trust_domain_needs_another_home(proa: Proa, taken: int) -> None:
    proa("serve", *FREE_PORTS, f"--metrics-port={taken}")  # makes the authority, and ends
    result = proa("serve", *FREE_PORTS, "--trust-domain=other.example")

    assert result.exit_code == 1
    assert "the CA is of spiffe://cluster.local, not other.example" in result.stderr
    assert "another --home" in result.stderr


@pytest.mark.parametrize("flag", ["--trust-domain=Other Org", "--leaf-ttl=0s"])
def test_what_can_never_be_is_a_usage_error(proa: Proa, flag: str) -> None:
    assert proa("serve", flag).exit_code == 2
    assert proa("up", flag).exit_code == 2


def test_a_node_without_a_token_hears_where_to_get_one(proa: Proa) -> None:
    result = proa("node")

    assert result.exit_code == 1
    assert "proa token create" in result.stderr


def test_a_file_that_is_no_program_is_no_envoy(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "envoy").touch(mode=0o644)
    result = proa("node", "--envoy", tmp_path / "envoy")

    assert result.exit_code == 1
    assert "no program that can be run" in result.stderr
    assert "token" not in result.stderr


def test_without_an_agent_the_next_step_is_to_start_one(proa: Proa) -> None:
    result = proa("exec", "reviews", "--", "true")

    assert result.exit_code == 1
    assert "no node agent serves" in result.stderr
    assert "start a mesh with `proa up`" in result.stderr
