from pathlib import Path

from proa.core.sidecar.session import PartnerBundle
from proa.node.partners import FILE, load_partners, save_partners

PARTNERS = (PartnerBundle(trust_domain="partner", namespaces=("shop",), roots_pem="pem"),)


def test_what_was_told_last_is_there_after_a_restart(tmp_path: Path) -> None:
    assert load_partners(tmp_path) == ()
    save_partners(tmp_path, PARTNERS)
    assert load_partners(tmp_path) == PARTNERS
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_of_what_is_damaged_or_of_a_later_program_nothing_is_believed(tmp_path: Path) -> None:
    save_partners(tmp_path, PARTNERS)
    path = tmp_path / FILE
    path.write_text(path.read_text().replace('"version":1', '"version":2'))
    assert load_partners(tmp_path) == ()
    path.write_text("{")
    assert load_partners(tmp_path) == ()
