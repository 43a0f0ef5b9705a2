from proa.adapters.policy.otlp.answers import refused


def test_what_was_refused_is_read() -> None:
    """Of a response of today's protocol: `partial_success { rejected_log_records: 300 error_message: "old" }`."""
    assert refused(b"") == (0, "")
    assert refused(b"\x0a\x08\x08\xac\x02\x12\x03old") == (300, "old")
    assert refused(b"\x0a\x05\x12\x03old") == (0, "old")


def test_what_cannot_be_read_refuses_nothing() -> None:
    assert refused(b"no message") == (0, "")
