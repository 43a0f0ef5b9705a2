"""The strategies of `proa.testing` draw what they promise: valid documents of every kind."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proa.core.config import KINDS, AnyKind, Config, Json, examine, to_manifest, to_yaml
from proa.core.config.document import parse
from proa.core.config.kinds.envoy_filter.schema import EnvoyFilter
from proa.core.config.meta import Meta
from proa.testing.strategies import manifests, objects_of_kind, valid_sets
from proa.testing.strategies.documents import (
    IN_FORCE,
    as_document,
    metas,
    nearly_valid_specs,
)
from proa.testing.strategies.mending import mended

ROWS = list(KINDS.values())
QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def name_of(row: AnyKind) -> str:
    return f"{row.kind}.{row.group}"


@pytest.mark.parametrize("row", ROWS, ids=name_of)
@settings(QUIET, max_examples=4)
@given(data=st.data())
def test_what_is_drawn_is_valid_and_read_back_as_the_same(row: AnyKind, data: st.DataObject) -> None:
    manifest = data.draw(manifests(row))
    examined = examine(as_document(manifest), only_in_force=False)
    assert examined.config is not None, examined.problems
    (again,) = parse(to_yaml(to_manifest(examined.config)), "g").documents
    back = examine(again, only_in_force=False).config
    assert back is not None
    assert (back.spec, back.digest) == (examined.config.spec, examined.config.digest)


@pytest.mark.parametrize("row", IN_FORCE, ids=name_of)
def test_documents_are_valid_by_the_rule(row: AnyKind) -> None:
    """Mending is for what slips through, not for most."""
    fates: Counter[str] = Counter()

    @settings(QUIET, max_examples=20)
    @given(nearly_valid_specs(row), metas(row))
    def draw(spec: Json, meta: Meta) -> None:
        left = mended(row, spec, meta)
        fates["fine" if left == spec else "lost" if left is None else "mended"] += 1

    draw()
    assert fates["fine"] >= 0.8 * fates.total(), fates
    assert fates["lost"] <= 0.05 * fates.total(), fates


@settings(QUIET, max_examples=20)
@given(valid_sets())
def test_a_set_has_each_name_once(configs: tuple[Config, ...]) -> None:
    assert len({config.ref for config in configs}) == len(configs)
    assert all(KINDS[config.api_version.rpartition("/")[0], config.kind].in_force for config in configs)


def test_sets_have_every_kind_in_force() -> None:
    kinds: set[str] = set()

    @settings(QUIET, max_examples=2 * len(IN_FORCE))
    @given(valid_sets(least=4))
    def draw(configs: tuple[Config, ...]) -> None:
        kinds.update(config.ref.kind for config in configs)

    draw()
    assert kinds >= {row.object_kind for row in IN_FORCE}


def test_one_kind_alone_can_be_drawn() -> None:
    (row,) = (each for each in IN_FORCE if each.spec is EnvoyFilter)

    @settings(QUIET, max_examples=5)
    @given(objects_of_kind(row))
    def draw(config: Config) -> None:
        assert isinstance(config.spec, EnvoyFilter)

    draw()
