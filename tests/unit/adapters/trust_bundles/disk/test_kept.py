"""Bundles over restarts, and files that are none."""

from pathlib import Path

from proa.adapters.trust_bundles.disk import BundlesOnDisk
from proa.core.auth.federation import BundleEndpoint
from proa.core.auth.trust_bundle import TrustBundle
from proa.ports.trust_bundles import BundleSource
from tests.federation import PARTNER, roots_of

SOURCE = BundleSource(trust_domain=PARTNER, endpoint=BundleEndpoint("https://a/b", "https_web"))


def test_what_is_kept_is_there_again_until_it_is_forgotten(tmp_path: Path) -> None:
    bundle = TrustBundle(pem=roots_of(tmp_path), refresh_hint=7)
    place = tmp_path / "kept"
    BundlesOnDisk(place).keep(SOURCE, bundle)
    assert dict(BundlesOnDisk(place).load()) == {SOURCE: bundle}
    BundlesOnDisk(place).forget(SOURCE)
    BundlesOnDisk(place).forget(SOURCE)
    assert not BundlesOnDisk(place).load()


def test_what_is_damaged_is_left_out(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    BundlesOnDisk(place).keep(SOURCE, TrustBundle(pem="no certificate"))
    (place / "a.json").write_text("{")
    assert not BundlesOnDisk(place).load()


def test_a_directory_that_cannot_be_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = BundlesOnDisk(tmp_path / "file" / "below")
    kept.keep(SOURCE, TrustBundle(pem="x"))
    kept.forget(SOURCE)
    assert not kept.load()
