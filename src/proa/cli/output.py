"""How answers look: aligned columns for people, JSON and YAML for programs.

Columns are plain text with no frame, so that `awk` and tests can read them. `rich` is not used here: importing it
takes longer than most commands do.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proa.core.config.problem import Problem
    from proa.core.pilot.explain.page import Line
    from proa.servers.admin.operations import Rejection

Format = Literal["table", "json", "yaml"]
F = TypeVar("F", bound=Callable[..., object])


def output_option(command: F) -> F:
    """`-o table|json|yaml`, as `output`."""
    option = click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
        help="How to print the answer.",
    )
    return option(command)


def print_value(value: object, output: Format) -> None:
    """A struct, or plain values, as JSON or YAML."""
    from proa.servers.admin import wire

    click.echo(to_text(wire.plain(value), output), nl=False)


def to_text(value: object, output: Format) -> str:
    """`value` is of dicts, lists and scalars. Ends with a newline."""
    if output == "yaml":
        from proa.core.config import Json, to_yaml

        if isinstance(value, dict):
            return to_yaml(cast("Mapping[str, Json]", value))
        import yaml

        return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns with two spaces between; an empty column is left out. Ends with a newline."""
    used = [index for index in range(len(head)) if any(row[index] for row in rows)] or list(range(len(head)))
    lines = [[line[index] for index in used] for line in (head, *rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(used))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def print_columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    first, _, rest = columns(head, rows).partition("\n")
    click.echo(click.style(first, bold=True))
    click.echo(rest, nl=False)


def print_problems(problems: "Sequence[Problem]") -> None:
    """One line each, on stderr, where editors and CI look for `file:line:`."""
    for problem in problems:
        click.echo(
            click.style(str(problem), fg="yellow" if problem.severity == "warning" else "red"), err=True
        )


def tell_faults(faults: "Iterable[str]") -> None:
    """What could not be used of what is installed: a warning a line, on stderr."""
    for fault in faults:
        click.echo(click.style(f"warning: {fault}", fg="yellow"), err=True)


_TONES = {"good": "green", "warn": "yellow", "bad": "red"}


def print_page(lines: "Iterable[Line]") -> None:
    """Lines of styled pieces, as explanations are drawn."""
    for line in lines:
        click.echo("".join(_styled(piece.text, piece.style) for piece in line))


def _styled(text: str, style: str) -> str:
    if style in _TONES:
        return click.style(text, fg=_TONES[style])
    return click.style(text, bold=style == "title", dim=style == "dim") if style != "plain" else text


_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def print_diff(text: str) -> None:
    """A unified diff."""
    for line in text.splitlines():
        click.echo(click.style(line, fg=_DIFF_COLOURS.get(line[:1])))


ERROR_SHOWN = 400


def rejection_line(proxy: str, rejection: "Rejection") -> str:
    """One refusal on one line. Envoy may quote a whole message over hundreds of lines: what it says first is what is
    wrong, and `-o json` has the rest."""
    about = ", ".join(str(each) for each in rejection.objects) or "(made from services alone)"
    error = " ".join(rejection.error.split())
    if len(error) > ERROR_SHOWN:
        error = f"{error[:ERROR_SHOWN]}... ({len(error)} characters; `proa proxy status -o json` has all)"
    return f"{about}: rejected by {proxy}: {error} [{rejection.type} {rejection.resource}]"


def count(number: int, singular: str, plural: str = "") -> str:
    """`1 object`, `2 objects`."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def span(seconds: float) -> str:
    """A length of time in its two largest units: `3d4h`, `5m10s`, `0s`; negative ones with a minus."""
    if seconds < 0:
        return "-" + span(-seconds)
    left = int(seconds)
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        parts.append((left // size, unit))
        left %= size
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    return "".join(f"{number}{unit}" for number, unit in parts[:2] if number or len(parts) == 1)


def moment(unix: float) -> str:
    """`2026-01-02 03:04:05Z`."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def is_terminal() -> bool:
    """Whether somebody watches stderr, where progress goes."""
    return sys.stderr.isatty()


def as_json(text: str) -> Any:
    """A manifest's text, which we stored ourselves."""
    return json.loads(text)
