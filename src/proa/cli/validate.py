"""`proa validate`: pure, so that it works in an editor, a hook and CI."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from proa.cli.output import Format, count, output_option, print_problems, print_value
from proa.cli.parameters import files_options, namespace_option

if TYPE_CHECKING:
    from proa.core.config import Loaded, Problem
    from proa.core.model.names import ObjectRef


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

    and the exit code is 1 when one of them is an error. Warnings alone are fine. No mesh is needed.

    \b
    Examples:
      proa validate -f routes.yaml
      proa validate -f config/ more/*.yaml
      cat routes.yaml | proa validate -f -
    """
    from proa.cli.documents import read_files
    from proa.core.config import load_all

    files = read_files(named, more)
    loaded = [load_all(file.text, file.name, namespace) for file in files]
    problems = tuple(problem for each in loaded for problem in each.problems) + _written_twice(
        loaded, namespace
    )
    errors = sum(problem.severity == "error" for problem in problems)
    objects = sum(len(each.configs) for each in loaded)
    if output == "table":
        print_problems(problems)
        if not errors:
            click.echo(f"{count(objects, 'object')} in {count(len(files), 'file')}: fine")
    else:
        print_value({"objects": objects, "errors": errors, "problems": problems}, output)
    context.exit(1 if errors else 0)


def _written_twice(loaded: "Iterable[Loaded]", namespace: str) -> "tuple[Problem, ...]":
    """An apply of all these files would not know which one counts, and refuses them."""
    from proa.core.config import Problem, load

    first: dict[ObjectRef, str] = {}
    found = []
    for document in (document for each in loaded for document in each.documents):
        config = load(document, namespace)
        if isinstance(config, tuple):
            continue
        place = f"{document.file}:{document.line}"
        if config.ref in first:
            message = f"{config.ref} is already written at {first[config.ref]}; keep one of them"
            found.append(Problem(document.file, document.line, "metadata.name", "duplicate-object", message))
        first.setdefault(config.ref, place)
    return tuple(found)
