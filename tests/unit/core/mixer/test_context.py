from proa.core.mixer.context import read_context, written_context


def test_what_pilot_writes_mixer_reads() -> None:
    written = written_context(80, "open", has_peer=False)
    assert written == (("proa-port", "80"), ("proa-on-failure", "open"), ("proa-peer", "none"))
    assert read_context({**dict(written), "other": "x"}) == {
        "port": "80",
        "on_failure": "open",
        "peer": "none",
    }
    assert "peer" not in read_context(dict(written_context(80, "closed", has_peer=True)))
