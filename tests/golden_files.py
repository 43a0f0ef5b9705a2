"""Compares a text with the golden file beside its input; rewrites the golden file when asked to.

`NAME.input.yaml` -> `NAME.golden.yaml`. Tests use it through the fixture `golden` of conftest.py; `scripts/golden`
is the one switch that rewrites. One difference per case, so that a changed golden file tells one story.
"""

from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path


class GoldenFiles:
    """`rewritten` grows as files are; the run's summary lists them."""

    def __init__(self, *, update: bool) -> None:
        self.update = update
        self.rewritten: list[Path] = []

    def __call__(self, input_file: Path, text: str, *, suffix: str | None = None) -> None:
        """Raises AssertionError with the difference. `suffix` (".json") when the result is of another format."""
        self.page(golden_of(input_file, suffix), text)

    def page(self, path: Path, text: str) -> None:
        """A file that is made whole, like a page of the docs."""
        wanted = path.read_text() if path.exists() else ""
        if text == wanted:
            return
        if self.update:
            path.write_text(text)
            self.rewritten.append(path)
            return
        state = "differs" if path.exists() else "does not exist"
        raise AssertionError(f"{path.name} {state}; scripts/golden rewrites it\n{difference(wanted, text)}")


def golden_of(input_file: Path, suffix: str | None = None) -> Path:
    name, mark, ending = input_file.name.rpartition(".input.")
    if not mark:
        raise ValueError(f"a golden case is called NAME.input.SUFFIX, not {input_file.name}")
    return input_file.with_name(f"{name}.golden{suffix or '.' + ending}")


def inputs(folder: Path) -> Sequence[Path]:
    """Every case of a folder, for `pytest.mark.parametrize("case", inputs(HERE), ids=case_name)`."""
    return sorted(folder.glob("*.input.*"))


def case_name(input_file: Path) -> str:
    return input_file.name.partition(".input.")[0]


def difference(wanted: str, text: str) -> str:
    lines = unified_diff(wanted.splitlines(), text.splitlines(), "golden", "now", lineterm="")
    return "\n".join(lines)
