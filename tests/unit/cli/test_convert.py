"""2018's files on the way to today's, without a mesh."""

import json
from pathlib import Path

from proa.core.config import load_all
from tests.unit.cli.conftest import Proa

OLD = """\
apiVersion: config.istio.io/v1alpha2
kind: RouteRule
metadata:
  name: default
spec:
  destination:
    name: reviews
  route:
  - labels:
      version: v1
"""
TODAY = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: ratings
spec:
  host: ratings
"""


def test_what_is_printed_can_be_applied(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(OLD)
    (tmp_path / "b.yaml").write_text(TODAY)

    result = proa("convert", "-f", tmp_path)

    assert (result.exit_code, result.stderr) == (0, "")
    loaded = load_all(result.stdout, "out")
    assert [str(config.ref) for config in loaded.configs] == [
        "DestinationRule/default/reviews",
        "VirtualService/default/reviews",
        "DestinationRule/default/ratings",
    ]
    assert loaded.problems == ()


def test_json_is_a_list(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(OLD)
    items = json.loads(proa("convert", "-f", tmp_path, "-n", "shop", "-o", "json").stdout)["items"]
    assert {item["metadata"]["namespace"] for item in items} == {"shop"}


def test_problems_are_those_of_the_old_file(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(OLD.replace("version: v1", 'version: "not a label"'))

    result = proa("convert", "-f", tmp_path / "a.yaml")

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{tmp_path}/a.yaml:10: spec.route[0].labels.version: " in result.stderr
