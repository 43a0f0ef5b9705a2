"""What a newcomer is told once the bookstore is open."""

import shlex
from pathlib import Path

from proa.demo.run import guide


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.splitlines() if line.startswith("     ")]


def test_every_command_can_be_pasted_into_a_fresh_terminal() -> None:
    text = guide("http://127.0.0.1:1/productpage", Path("/tmp/a demo"), Path("/clone/.venv/bin"))
    first, *others = commands(text)
    assert first == ["export", "PROA_HOME=/tmp/a demo", "PATH=/clone/.venv/bin:$PATH"]
    assert {each[0] for each in others} == {"proa"}
    files = [Path(each[each.index("-f") + 1]) for each in others if "-f" in each]
    assert len(files) == 3
    assert all(file.is_file() for file in files)
    assert "http://127.0.0.1:1/productpage" in text
