"""The command `proa`: its subcommands by name, and what holds for all of them.

A subcommand's module is imported when it is used and not before: `proa --help` and shell completion read the
table below only, so they stay fast. A test holds the table and the modules together.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from proa.cli.surroundings import Surroundings, is_colour_wanted


class Entry(NamedTuple):
    """Where a command is, and the line that `proa --help` shows for it."""

    module: str
    help: str


SECTIONS: Mapping[str, Mapping[str, Entry]] = {
    "Start a mesh": {
        "demo": Entry("demo", "See it work: a bookstore in a mesh of its own."),
        "up": Entry("up", "Start a mesh on this machine: control plane and node agent."),
        "run": Entry("run", "Run a program in the mesh."),
        "gateway": Entry("gateway", "Open a door into the mesh."),
        "exec": Entry("execute", "Run a command as a workload: by its proxy, with its identity."),
    },
    "Say what the mesh shall do": {
        "validate": Entry("validate", "Check configuration files; no mesh needed."),
        "analyze": Entry("analyze", "Find what does not go together, in files or in the mesh."),
        "convert": Entry("convert", "Write configuration of 2018 in today's language; no mesh needed."),
        "apply": Entry("apply", "Put configuration files into force, all or nothing."),
        "diff": Entry("diff", "Show what an apply would change."),
        "get": Entry("get", "Show configuration in force, or services."),
        "delete": Entry("delete", "Take configuration out of force."),
        "history": Entry("history", "Show who changed what, when and how."),
        "secret": Entry("secret", "Give gateways their certificates."),
        "rollback": Entry("rollback", "Make the configuration what it was at a version."),
    },
    "Look inside": {
        "explain": Entry("explain", "Tell what becomes of a request, hop by hop, and why."),
        "authn": Entry("authn", "Tell what two workloads speak with each other, and who decides it."),
        "proxy": Entry("proxy", "Look into sidecars and gateways."),
        "authz": Entry("authz", "Ask what policies say of a request."),
        "mixer": Entry("mixer", "Try Mixer's expressions."),
        "certificate": Entry("certificate", "Look at the identities of workloads; rotate the CA."),
        "compat": Entry("compat", "Show which kinds and fields of Istio's API Proa serves."),
        "version": Entry("version", "Print versions of this program and of the control plane."),
    },
    "Run the parts yourself": {
        "serve": Entry("serve", "Run a control plane."),
        "node": Entry("node", "Run the agent of a host."),
        "token": Entry("token", "Admit another host."),
        "backup": Entry("backup", "Copy the control plane's store while it runs."),
        "completion": Entry("completion", "Print the completion script of a shell."),
    },
}
COMMANDS: Mapping[str, Entry] = {
    name: entry for section in SECTIONS.values() for name, entry in section.items()
}


class LazyGroup(click.Group):
    """Imports a subcommand when it is called. Each module has its command as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found: object = importlib.import_module(f"proa.cli.{entry.module}").command
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean `proa {near[0]}`?" if near else "`proa --help` lists the commands"
            raise click.UsageError(f"there is no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in entries.items()], col_max=14)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        commands = [
            CompletionItem(name, help=entry.help)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="PROA_HOME",
    show_envvar=True,
    help="Where the mesh keeps its things; another home is another mesh.  [default: ~/.proa]",
)
@click.version_option(package_name="proa", prog_name="proa")
@click.pass_context
def cli(context: click.Context, home: Path | None) -> None:
    """Proa is a service mesh: it stands between your programs, encrypts and names both ends of every
    connection, and sends requests where you say.

    \b
    Start here:
      proa demo                       a bookstore to play with
      proa up                         a mesh of your own; then, in another terminal:
      proa run --name hello --port 8080 -- python3 -m http.server 8080 --bind 127.0.0.1
      proa exec hello -- curl http://hello:8080/
    """
    context.obj = Surroundings.from_flags(home)
    if not is_colour_wanted():
        context.color = False


def main() -> None:
    """The console script. Exit codes: 0 fine, 1 the input or the mesh has problems, 2 usage."""
    cli(prog_name="proa", complete_var="_PROA_COMPLETE")
