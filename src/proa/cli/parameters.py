"""Words on the command line that several commands understand alike: durations, kinds, workloads, files."""

import re
from collections.abc import Callable
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from proa.cli.surroundings import Surroundings

F = TypeVar("F", bound=Callable[..., object])
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")


class Duration(click.ParamType[float]):
    """`90s`, `1h30m`, `500ms`; the value is seconds. A bare number is refused: of what?"""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        text = str(value)
        pieces = _PIECE.findall(text)
        if not pieces or "".join(number + unit for number, unit in pieces) != text:
            self.fail(f"{text!r} is no duration; write 30s, 5m or 1h30m", param, ctx)
        return sum(float(number) * _UNITS[unit] for number, unit in pieces)


class KindWord(click.ParamType[str]):
    """A kind's name in any spelling, or one of `extra`. The value is the full name (`VirtualService`), or the
    extra word. `vs/reviews` is left for the command to split."""

    name = "kind"

    def __init__(self, *extra: str) -> None:
        self.extra = extra

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from proa.core.config import KINDS, find_kind

        word, slash, rest = str(value).partition("/")
        if word.lower() in self.extra:
            return word.lower() + slash + rest
        kind = find_kind(word)
        if kind is None:
            served = [row for row in KINDS.values() if row.in_force]
            named = (f"{row.kind} ({', '.join(row.short_names) or row.plural})" for row in served)
            known = ", ".join([*named, *self.extra])
            self.fail(f"there is no kind {word!r}; the kinds are {known}", param, ctx)
        return kind.object_kind + slash + rest

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from proa.core.config import KINDS

        served = [row for row in KINDS.values() if row.in_force]
        words = [*(row.kind.lower() for row in served), *self.extra]
        words += [short for row in served for short in row.short_names]
        return [CompletionItem(word) for word in words if word.startswith(incomplete.lower())]


class WorkloadWord(click.ParamType[str]):
    """A workload as people write it; `find_workload` decides later which one is meant."""

    name = "workload"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            with _surroundings(ctx).control_plane() as client:
                ids = [each.id for each in client.proxies().proxies]
        except click.ClickException:
            return []
        words = [each.name if each.namespace == "default" else str(each) for each in ids]
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def files_options(required: bool) -> Callable[[F], F]:
    """`-f FILE`, repeated or with more files behind it (`-f *.yaml`): parameters `named` and `more`."""

    def add(command: F) -> F:
        more = click.argument("more", nargs=-1, type=click.Path(), metavar="[FILE]...")
        named = click.option(
            "-f",
            "--filename",
            "named",
            multiple=True,
            required=required,
            type=click.Path(exists=True, allow_dash=True),
            metavar="FILE",
            help="File, directory (its *.yaml, *.yml, *.json) or - for standard input; may be repeated.",
        )
        return named(more(command))

    return add


def namespace_option(help: str) -> Callable[[F], F]:
    return click.option("-n", "--namespace", default="default", show_default=True, metavar="NS", help=help)


def complete_objects(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the objects in force, of the kind typed before."""
    from proa.servers.admin.operations import ObjectQuery

    kind = ctx.params.get("kind")
    if not kind or "/" in kind:
        return []
    try:
        with _surroundings(ctx).control_plane() as client:
            found = client.objects(ObjectQuery(kind=kind, namespace=ctx.params.get("namespace")))
    except click.ClickException:
        return []
    return [CompletionItem(each.ref.name) for each in found.objects if each.ref.name.startswith(incomplete)]


def _surroundings(ctx: click.Context) -> Surroundings:
    """While a shell completes, the root command has parsed its flags but not run."""
    found = ctx.find_object(Surroundings)
    return found or Surroundings.from_flags(ctx.find_root().params.get("home"))


def read_pairs(
    _context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """The callback of an option that is given several times as NAME=VALUE."""
    if bad := next((value for value in values if "=" not in value), None):
        raise click.BadParameter(f"{bad!r} is not NAME=VALUE", param=parameter)
    return dict(value.split("=", 1) for value in values)


def read_headers(
    _context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """The same of NAME:VALUE; names come in lower case."""
    if bad := next((value for value in values if ":" not in value), None):
        raise click.BadParameter(f"{bad!r} is not NAME:VALUE", param=parameter)
    return tuple(
        (name.strip().lower(), text.strip()) for name, _, text in (each.partition(":") for each in values)
    )
