"""`proa validate`: pure, so that it works in an editor, a hook and CI."""

import click

from proa.cli.output import Format, count, output_option, print_problems, print_value, tell_faults
from proa.cli.parameters import files_options, namespace_option


@click.command("validate", short_help="Check configuration files; no mesh needed.")
@files_options(required=True)
@namespace_option("Namespace of objects that name none.")
@output_option
@click.pass_context
def command(
    context: click.Context, named: tuple[str, ...], more: tuple[str, ...], namespace: str, output: Format
) -> None:
    """Check configuration files. Every problem of every file is printed as

        file:line: path: message [code]

    and the exit code is 1 when one of them is an error. Warnings alone are fine. No mesh is needed. Objects of
    kinds that Proa does not act on yet are checked as well, with a warning; `proa apply` refuses them.

    \b
    Examples:
      proa validate -f routes.yaml
      proa validate -f config/ more/*.yaml
      cat routes.yaml | proa validate -f -
    """
    from proa.adapters.policy_catalog import installed
    from proa.cli.documents import read_files
    from proa.core.config import read_batch

    files = read_files(named, more)
    adapters = installed()
    tell_faults(adapters.faults)
    batch = read_batch(
        [(file.name, file.text) for file in files],
        namespace,
        only_in_force=False,
        catalogue=adapters.catalogue,
    )
    errors = sum(problem.severity == "error" for problem in batch.problems)
    objects = len(batch.objects)
    if output == "table":
        print_problems(batch.problems)
        if not errors:
            click.echo(f"{count(objects, 'object')} in {count(len(files), 'file')}: fine")
    else:
        print_value({"objects": objects, "errors": errors, "problems": batch.problems}, output)
    context.exit(1 if errors else 0)
