"""A page of `docs/tasks` as something that can be done: its files are written, its commands run, their output compared.

A block of YAML or Python begins with a comment that names its file. A `console` block has commands behind `$ `, each
with the lines that it prints; `...` stands for anything within a line, and a line of nothing else for any lines. What
stands before the first `## ` is done before each section; each section is one shell.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

PROGRESS: Final = re.compile(r"live on \d+ of \d+ prox(y|ies)(; waiting for .*)?")
"""A terminal shows it for a moment, a pipe for good: no page has it."""
_FENCE: Final = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED: Final = re.compile(r"# (\S+\.[a-z]+)$")
_MARK: Final = "\x1e"
"""Printed before each command; no output has it."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    expected: tuple[str, ...]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    files: Mapping[str, str]
    commands: tuple[Command, ...]


def read_page(text: str) -> tuple[Section, ...]:
    """The first section is what is done before each of the others."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    titles = ["", *parts[1::2]]
    return tuple(_section(title, part) for title, part in zip(titles, parts[::2], strict=True))


def _section(title: str, text: str) -> Section:
    files: dict[str, str] = {}
    commands: list[Command] = []
    for language, body in _FENCE.findall(text):
        if language == "console":
            commands += _commands(body)
            continue
        named = _NAMED.fullmatch(body.partition("\n")[0])
        assert named, (
            f"a block of {language or 'no language'} in {title!r} does not begin with its file's name"
        )
        files[named[1]] = body
    return Section(title=title, files=files, commands=tuple(commands))


def _commands(body: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        first, *expected = part.rstrip("\n").split("\n")
        yield Command(text=first, expected=tuple(expected))


def is_as_told(expected: tuple[str, ...], printed: str) -> bool:
    """Blank lines, blanks at the ends of lines, and progress do not count."""
    lines = [line.rstrip() for line in printed.splitlines() if not PROGRESS.fullmatch(line.strip())]
    pattern = "".join(
        r"(?:[^\n]*\n)*" if line == "..." else re.escape(line.rstrip()).replace(r"\.\.\.", r"[^\n]*") + r"\n"
        for line in expected
        if line.strip()
    )
    return re.fullmatch(pattern, "".join(line + "\n" for line in lines if line)) is not None


def walk(before: Section, section: Section, place: Path, env: Mapping[str, str], timeout_s: float) -> None:
    """Does a section in `place`. Fails with the first command that printed something else than the page says."""
    for name, body in section.files.items():
        (place / name).write_text(body)
    commands = (*before.commands, *section.commands)
    script = "".join(f"printf '{_MARK}'\n{command.text}\n" for command in commands)
    bash = shutil.which("bash")
    assert bash is not None
    printed = _run([bash, "-c", script], place, env, timeout_s).split(_MARK)[1:]
    for number, command in enumerate(commands):
        got = printed[number] if number < len(printed) else "(nothing: the shell ended before)"
        told = "\n".join(command.expected)
        assert is_as_told(command.expected, got), f"$ {command.text}\n{got}\n-- the page says:\n{told}"


def _run(argv: list[str], place: Path, env: Mapping[str, str], timeout_s: float) -> str:
    """What it printed; what it left running is ended."""
    with subprocess.Popen(
        argv,
        cwd=place,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as shell:
        try:
            return shell.communicate(timeout=timeout_s)[0]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
