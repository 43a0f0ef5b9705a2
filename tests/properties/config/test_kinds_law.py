"""Laws for objects of every kind: reading never fails, what is valid is written and read back as the same, and whatever
is valid can be analyzed.

A few examples of each kind in the suite; with more of them it is a fuzz of the language.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proa.core.config import KINDS, AnyKind, Config, Document, Json, examine, to_manifest, to_yaml
from proa.core.config.analyze.analysis import analyze, subjects_of, told_of
from proa.core.config.analyze.world import build_world
from proa.core.config.batch import Written
from proa.core.config.document import parse
from proa.core.config.yaml_reader import NO_MARKS
from tests.properties.config.documents import specs

ROWS = list(KINDS.values())
QUIET = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


def document(row: AnyKind, name: str, spec: Json) -> Document:
    value: dict[str, Json] = {
        "apiVersion": f"{row.group}/{row.versions[0]}",
        "kind": row.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }
    return Document(file="f", line=1, value=value, marks=NO_MARKS)


def read(row: AnyKind, name: str, spec: Json) -> Config | None:
    examined = examine(document(row, name, spec), only_in_force=False)
    assert (examined.config is None) == any(each.severity == "error" for each in examined.problems)
    return examined.config


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.kind}.{row.group}")
@QUIET
@given(data=st.data())
def test_what_is_valid_is_read_back_as_the_same(row: AnyKind, data: st.DataObject) -> None:
    config = read(row, "default", data.draw(specs(row)))
    if config is None:
        return
    (again,) = parse(to_yaml(to_manifest(config)), "g").documents
    back = examine(again, only_in_force=False).config
    assert back is not None
    assert (back.spec, back.digest) == (config.spec, config.digest)


@settings(QUIET, max_examples=25)
@given(
    st.lists(st.sampled_from(ROWS).flatmap(lambda row: st.tuples(st.just(row), specs(row))), max_size=6),
    st.booleans(),
)
def test_whatever_is_valid_can_be_analyzed(objects: list[tuple[AnyKind, Json]], whole: bool) -> None:
    written = [
        Written(config=config, document=document(row, "default", spec))
        for row, spec in objects
        if (config := read(row, "default", spec)) is not None
    ]
    subjects = subjects_of(written)
    world = build_world(subjects.configs, whole=whole, workers=() if whole else None)
    for told in told_of(analyze(world), subjects):
        assert told.line >= 1
        assert told.message
