"""`proa demo`: flags, and the demo's progress as lines."""

import asyncio
from pathlib import Path

import click
from click.core import ParameterSource

from proa.cli.surroundings import Failure, Surroundings


@click.command("demo", short_help="See it work: a bookstore in a mesh of its own.")
@click.option("--check", is_flag=True, help="Prove over HTTP that it does what it should, then end.")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the demo keeps its things.  [default: a temporary directory, removed at the end]",
)
@click.pass_context
def command(context: click.Context, check: bool, home: Path | None) -> None:
    """Start a mesh, a bookstore of six programs in it, and a gateway; print the page's URL and what to try.
    Ctrl-C ends it all. Every hop is mutual TLS; no program knows of it.

    With --check the bookstore is put through what Istio's task pages promise, and the exit code tells: 0 when
    all holds, 1 when something does not.

    \b
    Examples:
      proa demo
      proa demo --check
    """
    from proa.demo.run import DemoFailed, DemoOptions, run

    assert context.parent is not None
    if home is None and context.parent.get_parameter_source("home") is ParameterSource.COMMANDLINE:
        home = context.ensure_object(Surroundings).home.path
    try:
        code = asyncio.run(run(DemoOptions(home=home, check=check), click.echo))
    except DemoFailed as error:
        raise Failure(str(error), error.todo) from None
    context.exit(code)
