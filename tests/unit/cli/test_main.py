import subprocess
import sys

import click
import pytest

from proa.cli.main import COMMANDS, cli
from tests.unit.cli.conftest import Proa

COMMAND_NAMES = sorted(COMMANDS)


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_the_table_says_what_the_command_says(name: str) -> None:
    found = command(name)
    assert found.name == name
    assert found.get_short_help_str(200) == COMMANDS[name].help


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_every_command_shows_an_example(name: str, proa: Proa) -> None:
    found = command(name)
    names = [[name, sub] for sub in found.commands] if isinstance(found, click.Group) else [[name]]
    for words in names:
        result = proa(*words, "--help")
        assert result.exit_code == 0
        assert "Example" in result.stdout, words


def test_help_names_every_command_and_imports_none() -> None:
    program = (
        "import sys; from proa.cli.main import cli; cli(['--help'], standalone_mode=False);"
        "print([each for each in ('rich', 'asyncio', 'msgspec', 'yaml', 'aiohttp') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    *_, imported = done.stdout.splitlines()
    assert imported == "[]"
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_a_mistyped_command_is_a_usage_error_with_a_hint(proa: Proa) -> None:
    result = proa("aply", "-f", "x")

    assert result.exit_code == 2
    assert "did you mean `proa apply`?" in result.stderr


def test_commands_complete_without_being_imported() -> None:
    found = cli.shell_complete(click.Context(cli), "ce")

    assert [(each.value, each.help) for each in found] == [("certificate", COMMANDS["certificate"].help)]


def test_no_control_plane_says_how_to_start_one(proa: Proa) -> None:
    result = proa("proxy", "status")

    assert result.exit_code == 1
    assert "no control plane is running at" in result.stderr
    assert "start one with `proa up`" in result.stderr


def test_the_hint_repeats_a_home_given_by_flag(proa: Proa, tmp_path: object) -> None:
    result = proa("--home", f"{tmp_path}/other", "get", "all")

    assert f"start one with `proa --home {tmp_path}/other up`" in result.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(proa: Proa, shell: str) -> None:
    result = proa("completion", shell)

    assert result.exit_code == 0
    assert "_PROA_COMPLETE" in result.stdout


def test_version_works_without_a_mesh(proa: Proa) -> None:
    result = proa("version")

    assert result.exit_code == 0
    assert "none running" in result.stdout
