"""`proa delete`: by kind and name, or by the files that were applied."""

from collections.abc import Iterator

import click

from proa.cli.output import print_problems
from proa.cli.parameters import Duration, KindWord, complete_objects, namespace_option
from proa.cli.surroundings import Failure, Surroundings
from proa.core.model.names import ObjectRef, object_kind


@click.command("delete", short_help="Take configuration out of force.")
@click.argument("kind", type=KindWord(), required=False)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_objects)
@click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    type=click.Path(exists=True, allow_dash=True),
    metavar="FILE",
    help="Delete the objects of these files; what else the files say does not matter.",
)
@namespace_option("Namespace of the objects.")
@click.option("--ignore-not-found", is_flag=True, help="An object that is not there is fine.")
@click.option("--wait", is_flag=True, help="Return when the change is live on every connected proxy.")
@click.option(
    "--timeout", type=Duration(), default="60s", show_default=True, help="How long --wait waits at most."
)
@click.pass_obj
def command(
    surroundings: Surroundings,
    kind: str | None,
    names: tuple[str, ...],
    files: tuple[str, ...],
    namespace: str,
    ignore_not_found: bool,
    wait: bool,
    timeout: float,
) -> None:
    """Take objects out of force, all in one step. Exit code 1 when one of them was not there.

    \b
    Examples:
      proa delete vs reviews
      proa delete destinationrule reviews ratings -n shop --wait
      proa delete -f routes.yaml
    """
    from proa.cli.waiting import print_outcome, wait_until_live
    from proa.servers.admin.operations import DeleteRequest

    refs = _named(kind, names, namespace) if kind else _of_files(files, namespace)
    if kind and files:
        raise click.UsageError("give KIND and NAME, or -f, not both")
    if not refs:
        raise click.UsageError("what shall be deleted? give KIND and NAME, or -f FILE")
    with surroundings.control_plane() as client:
        outcome = client.delete(DeleteRequest(refs=refs, author=surroundings.author))
        print_outcome(outcome)
        if wait:
            wait_until_live(client, outcome.version, timeout)
    if not ignore_not_found and any(result.action == "absent" for result in outcome.results):
        raise Failure("", f"`{surroundings.command('get all -A')}` lists what is in force")


def _named(kind: str, names: tuple[str, ...], namespace: str) -> tuple[ObjectRef, ...]:
    word, slash, name = kind.partition("/")
    return tuple(ObjectRef(word, namespace, each) for each in ((name, *names) if slash else names))


def _of_files(files: tuple[str, ...], namespace: str) -> tuple[ObjectRef, ...]:
    """Only kind and name count, so that an object can be deleted by a file that is no longer valid."""
    from proa.cli.documents import read_files
    from proa.core.config import Document, parse

    def refs(document: Document) -> Iterator[ObjectRef]:
        kind, metadata = document.value.get("kind"), document.value.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        where = metadata.get("namespace") if isinstance(metadata, dict) else None
        if not isinstance(kind, str) or not isinstance(name, str):
            raise Failure(f"{document.file}:{document.line}: an object needs kind and metadata.name")
        version = document.value.get("apiVersion")
        kind = object_kind(version if isinstance(version, str) else "", kind)
        yield ObjectRef(kind, where if isinstance(where, str) and where else namespace, name)

    parsed = [parse(file.text, file.name) for file in read_files(files, ())]
    problems = [problem for each in parsed for problem in each.problems]
    if problems:
        print_problems(problems)
        raise Failure("nothing was deleted")
    return tuple(
        dict.fromkeys(ref for each in parsed for document in each.documents for ref in refs(document))
    )
