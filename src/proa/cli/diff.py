"""`proa diff`: what an apply would change, as a unified diff of normal YAML."""

from typing import TYPE_CHECKING

import click

from proa.cli.output import Format, as_json, output_option, print_diff, print_problems, to_text
from proa.cli.parameters import files_options, namespace_option
from proa.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from proa.core.config import Json


@click.command("diff", short_help="Show what an apply would change.")
@files_options(required=True)
@namespace_option("Namespace of objects that name none.")
@output_option
@click.pass_context
def command(
    context: click.Context, named: tuple[str, ...], more: tuple[str, ...], namespace: str, output: Format
) -> None:
    """Show what `proa apply` of the same files would change. Defaults and the order of fields make no
    difference, nor do comments.

    -o json and -o yaml list the objects that differ, each as it is and as it would be.

    Exit code 0: no difference. Exit code 1: differences, or files with problems (then each problem is on
    standard error and no difference is printed).

    \b
    Example:
      proa diff -f routes.yaml || proa apply -f routes.yaml
    """
    from proa.cli.documents import read_files
    from proa.core.config import diff
    from proa.servers.admin.operations import DiffRequest, Problems

    surroundings = context.ensure_object(Surroundings)
    with surroundings.control_plane() as client:
        answer = client.diff(DiffRequest(files=read_files(named, more), namespace=namespace))
    if isinstance(answer, Problems):
        print_problems(answer.problems)
        context.exit(1)
    changed = [each for each in answer.objects if each.before != each.after]
    if output != "table":
        both = [
            {"ref": str(each.ref), "before": _manifest(each.before), "after": _manifest(each.after)}
            for each in changed
        ]
        click.echo(to_text({"objects": both}, output), nl=False)
        context.exit(1 if changed else 0)
    found = [diff(_manifest(each.before), _manifest(each.after), str(each.ref)) for each in changed]
    print_diff("".join(found))
    context.exit(1 if any(found) else 0)


def _manifest(text: str) -> "dict[str, Json] | None":
    return as_json(text) if text else None
