"""hypothesis is no dependency: who lacks it is told what to do."""

import subprocess
import sys

WITHOUT = "import sys; sys.modules['hypothesis'] = None\nimport proa.testing.strategies"


def test_without_hypothesis_the_import_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last == "ImportError: proa.testing.strategies needs the package hypothesis: pip install hypothesis"
