"""Valid objects for the tests of this folder: between them they use every field of every kind."""

from pathlib import Path

from proa.core.config import Config, load_all

GOLDEN = Path(__file__).parents[3] / "golden/config"
TEXTS = {path.parent.name: path.read_text() for path in sorted(GOLDEN.glob("*/complete.input.yaml"))}


def configs() -> tuple[Config, ...]:
    return tuple(config for text in TEXTS.values() for config in load_all(text, "sample").configs)
