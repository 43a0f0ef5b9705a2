"""`proa mixer`: rules, checks and reports. What evaluates an expression needs no mesh."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import click

from proa.cli.mixer_check import command as check
from proa.cli.mixer_explain import command as explain
from proa.cli.mixer_quota import command as quota
from proa.cli.mixer_report import command as report
from proa.cli.output import Format, output_option, print_problems, print_value
from proa.cli.surroundings import Failure

if TYPE_CHECKING:
    from proa.core.attributes.vocabulary import Vocabulary
    from proa.core.expression.typed import Language
    from proa.core.mixer.evaluation.cases import Answer
    from proa.core.mixer.evaluation.files import Vocabularies


@click.group("mixer", short_help="Try Mixer's expressions.")
def command() -> None:
    """Mixer: attributes, rules and adapters."""


command.add_command(check)
command.add_command(explain)
command.add_command(quota)
command.add_command(report)


@command.command("eval", short_help="Evaluate an expression over attributes.")
@click.argument("expression", metavar="[EXPR]", required=False)
@click.option(
    "--attributes", "attributes", metavar="FILE", help="name: value, or name: [TYPE, value]; YAML or JSON."
)
@click.option(
    "--manifest",
    metavar="FILE",
    help="What attributes there are: attributemanifests, or name: TYPE. Default: the standard ones.",
)
@click.option(
    "--batch", metavar="FILE", help="Cases, one JSON object a line; answers come in the same order."
)
@click.option("--manifests", metavar="FILE", help="Of a batch: the manifests that its cases name.")
@click.option(
    "--language",
    type=click.Choice(["MIXER", "CEL"], case_sensitive=False),
    default="MIXER",
    help="What the expression is written in. Default: MIXER.",
)
@output_option
@click.pass_context
def evaluate(
    context: click.Context,
    expression: str | None,
    attributes: str | None,
    manifest: str | None,
    batch: str | None,
    manifests: str | None,
    language: "Language",
    output: Format,
) -> None:
    """Evaluate an expression of Mixer's language and print its type, its value and the attributes that it depended on.
    No mesh is needed.

    A case of a batch is {"id", "expr", "manifest", "attributes": {name: [TYPE, value]}}. Its answer is
    {"id", "type", "value", "references"}, or {"id", "error", "message"} with the error "compile" or "runtime"; the
    latter has references too.

    The exit code is 1 when the expression has no value, or when a line of a batch is no case.

    \b
    Examples:
      proa mixer eval 'source.labels["app"] | "unknown"' --attributes request.yaml
      proa mixer eval 'match(request.path, "/api/*")' --attributes request.yaml -o json
      proa mixer eval --language CEL 'request.method in ["GET", "HEAD"]' --attributes request.yaml
      proa mixer eval --batch cases.jsonl --manifests manifests.json
    """
    if batch is not None:
        others = (expression, attributes, manifest)
        if any(each is not None for each in others) or language != "MIXER":
            raise click.UsageError("--batch goes with --manifests alone", context)
        context.exit(_batch(batch, manifests))
    if expression is None:
        raise click.UsageError("give an expression, or --batch FILE", context)
    if manifests is not None:
        raise click.UsageError(
            "--manifests goes with --batch; for one expression there is --manifest", context
        )
    context.exit(_one(expression, language, attributes, manifest, output))


def _one(
    expression: str, language: "Language", attributes: str | None, manifest: str | None, output: Format
) -> int:
    from proa.core.attributes.vocabulary import STANDARD
    from proa.core.expression.program import compile_expression
    from proa.core.mixer.evaluation.cases import answer_of
    from proa.core.mixer.evaluation.files import read_bag

    vocabulary: Vocabulary | None = STANDARD
    if manifest is not None:
        read = _manifests(manifest)
        if read is None:
            return 1
        vocabulary = read.alone
        if vocabulary is None:
            raise Failure(f"{manifest} holds several manifests, which only cases of a batch can name")
    assert vocabulary is not None
    name, text = _text(attributes) if attributes is not None else ("", "")
    bag = read_bag(text, name, vocabulary)
    if isinstance(bag, tuple):
        print_problems(bag)
        return 1
    answer = answer_of(compile_expression(expression, vocabulary, language=language), bag)
    if output == "table":
        _print(answer)
    else:
        print_value(answer, output)
    return 1 if "error" in answer else 0


def _print(answer: "Answer") -> None:
    if "error" in answer:
        raise Failure(f"{answer['error']} error: {answer['message']}")
    value = answer["value"]
    references = answer["references"]
    assert isinstance(references, list)
    click.echo(f"type        {answer['type']}")
    click.echo(f"value       {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    click.echo(f"references  {', '.join(references) or 'none'}")


def _batch(path: str, manifests: str | None) -> int:
    from proa.core.mixer.evaluation.cases import BadCase, Cases

    vocabularies: dict[str, Vocabulary] = {}
    if manifests is not None:
        read = _manifests(manifests)
        if read is None:
            return 1
        vocabularies = read.by_name
    cases, bad = Cases(vocabularies), 0
    with _lines(path) as (name, lines):
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                answer = cases.answer(line)
            except BadCase as error:
                click.echo(click.style(f"{name}:{number}: {error}", fg="red"), err=True)
                bad += 1
            else:
                click.echo(json.dumps(answer, ensure_ascii=False))
    return 1 if bad else 0


def _manifests(path: str) -> "Vocabularies | None":
    """None: its problems are printed."""
    from proa.core.mixer.evaluation.files import read_manifests

    name, text = _text(path)
    found = read_manifests(text, name)
    if isinstance(found, tuple):
        print_problems(found)
        return None
    return found


def _text(path: str) -> tuple[str, str]:
    from proa.cli.documents import read_files

    (file,) = read_files([path], [])
    return file.name, file.text


@contextmanager
def _lines(path: str) -> Iterator[tuple[str, BinaryIO]]:
    """The file's name in messages, and its lines as they come: a batch may be longer than memory."""
    if path == "-":
        yield "<stdin>", sys.stdin.buffer
        return
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below, and what fails later is no failure to open
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None
    with file:
        yield path, file
