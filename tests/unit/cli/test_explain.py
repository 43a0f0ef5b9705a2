import json
import re
from pathlib import Path

import pytest

from proa.core.model.names import WorkloadId
from proa.core.pilot.explain.story import Explanation, Hop, Question, Step, Verdict
from proa.servers.admin.operations import ProxyStatus
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve
from tests.unit.core.pilot.explain.conftest import SERVICES
from tests.unit.core.pilot.explain.test_hops import RULES

PAGE, EDGE = WorkloadId("default", "productpage-v1"), WorkloadId("istio-system", "ingressgateway")
PROXIES = (
    ProxyStatus(id=PAGE, kind="sidecar", node="local", connected=True),
    ProxyStatus(id=EDGE, kind="gateway", node="local", connected=True),
)
TOLD = Explanation(
    request="GET http://reviews:9080/ from default/productpage-v1",
    hops=(Hop(proxy="default/productpage-v1", role="client", steps=(Step(kind="listener", text="virtualOutbound"),)),),
    verdicts=(Verdict(end="arrives", text="reaches default/reviews-v1"),),
    remarks=("default/productpage-v1 is behind",),
)  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "services.yaml").write_text(SERVICES)
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def test_a_mesh_is_asked_and_its_answer_printed(proa: Proa, serve: Serve) -> None:
    operations = FixedOperations(proxy_statuses=PROXIES, explanation=TOLD)
    with serve(operations):
        done = proa("explain", "get", "http://reviews:9080/", "--from", "productpage", "-H", "a: b:c")
        told = proa("explain", "GET", "http://shop/", "--via", "ingress", "-o", "json")
    assert done.exit_code == 0
    assert done.stdout == (
        "GET http://reviews:9080/ from default/productpage-v1\n\n"
        "default/productpage-v1  the caller's sidecar\n"
        "  listener      virtualOutbound\n\n"
        "=> reaches default/reviews-v1\n"
        "note: default/productpage-v1 is behind\n"
    )
    assert operations.asked == [
        Question(method="get", url="http://reviews:9080/", headers=(("a", "b:c"),), source=PAGE),
        Question(method="GET", url="http://shop/", gateway=EDGE),
    ]
    assert json.loads(told.stdout)["verdicts"][0]["end"] == "arrives"


def test_an_unknown_workload_is_told_who_is_near(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(proxy_statuses=PROXIES)):
        done = proa("explain", "GET", "http://reviews:9080/", "--from", "prodctpage-v1")
        refused = proa("explain", "GET", "http://reviews:9080/", "--from", "productpage")
        gateway = proa("explain", "GET", "http://reviews:9080/", "--from", str(EDGE))
    assert f"{EDGE} is a gateway" in gateway.stderr
    assert "--via it" in gateway.stderr
    assert done.exit_code == 1
    assert 'there is no workload prodctpage-v1; did you mean "productpage-v1"?' in done.stderr
    assert "there is nothing to explain" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("GET", "http://a/"), "whose request"),
        (("GET", "http://a/", "--from", "a", "--via", "b"), "whose request"),
        (("GET", "--from", "a"), "what is asked"),
        (("GET", "http://a/", "--tcp", "a:1", "--from", "a"), "what is asked"),
        (("GET", "http://a/", "--from", "a", "-H", "nonsense"), "no header"),
    ],
)
def test_usage(proa: Proa, words: tuple[str, ...], said: str) -> None:
    done = proa("explain", *words)
    assert done.exit_code == 2
    assert said in done.stderr


def test_files_alone_need_no_mesh(proa: Proa, files: Path) -> None:
    done = proa("explain", "GET", "http://reviews:9080/told", "--from", "page", "-f", files)
    assert (done.exit_code, done.stderr) == (1, "")
    assert "by VirtualService/default/reviews http[4]" in done.stdout
    assert "/rules.yaml:17)" in done.stdout
    assert (
        proa("explain", "GET", "http://shop.example.com/moved", "--via", "edge", "-f", files).exit_code == 0
    )
    by_labels = proa(
        "explain", "--tcp", "reviews:9081", "--from", "shop/app=x,version=v1", "-f", files, "-o", "yaml"
    )
    assert "a stream to reviews:9081 from shop/app=x,version=v1" in by_labels.stdout


def test_who_is_not_in_the_files(proa: Proa, files: Path) -> None:
    def said(*words: str) -> str:
        done = proa("explain", "GET", "http://reviews:9080/", *words, "-f", files)
        assert done.exit_code == 1
        return done.stderr

    assert 'no WorkloadEntry of the files is called pge; did you mean "page"?' in said("--from", "pge")
    assert "may be any of default/reviews-v1, default/reviews-v2" in said("--from", "reviews")
    assert 'no Gateway of the files is called edgy; did you mean "edge"?' in said("--via", "edgy")


def test_without_workload_entries_a_name_is_a_label(proa: Proa, files: Path) -> None:
    done = proa("explain", "GET", "http://reviews:9080/told", "--from", "page", "-f", files / "rules.yaml")
    assert "note: default/page is taken for a program with the label app=page" in done.stdout
    assert "418" in done.stdout


def test_files_with_errors_are_not_explained(proa: Proa, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: VirtualService\n")
    done = proa("explain", "GET", "http://a/", "--from", "a", "-f", bad)
    assert done.exit_code == 1
    assert f"{bad}:1" in done.stderr


def test_the_page_shows_what_is_printed(proa: Proa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs/explain.md").read_text()
    texts = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    for name, text in zip(("mesh.yaml", "policy.yaml"), texts, strict=True):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    shown = re.findall(r"^```console\n\$ proa (.*?)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == 3
    for words, printed in shown:
        assert proa(*words.split()).stdout == printed
