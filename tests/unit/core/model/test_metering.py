"""How a row of facts is read back."""

import pytest

from proa.core.model.metering import METRICS, STANDARD, Row, read_row


def test_a_row_is_read() -> None:
    row = read_row(
        "client;503;UF,URX;14;outbound|80||a.b.svc.cluster.local;b/a-1;spiffe://cluster.local/ns/b/sa/a"
    )
    assert row == Row(
        side="client",
        code="503",
        flags="UF,URX",
        grpc="14",
        place="outbound|80||a.b.svc.cluster.local",
        peer="b/a-1",
        principal="spiffe://cluster.local/ns/b/sa/a",
    )


def test_what_envoy_does_not_know_is_empty() -> None:
    assert read_row("plain;200;-;;8080;;") == Row(
        side="plain", code="200", flags="", grpc="", place="8080", peer="", principal=""
    )


@pytest.mark.parametrize("text", ["", "client;200", "server;200;-;;8080;;", "client;;;;;;;;"])
def test_other_texts_are_no_rows(text: str) -> None:
    assert read_row(text) is None


def test_each_metric_is_standard_once() -> None:
    assert [series.metric for series in STANDARD] == list(METRICS)
