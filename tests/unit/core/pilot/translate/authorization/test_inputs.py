from proa.core.pilot.translate.authorization import inputs


def test_what_is_kept_of_a_request() -> None:
    state = inputs.request_state({inputs.PATH, inputs.REQUEST_PRINCIPAL})
    kept = {
        each.object_key: each.format_string.text_format_source.inline_string
        for each in state.on_request_headers
    }
    assert kept[inputs.PATH] == "%PATH(NQ:PATH)%", "no query, and not what a caller says was the path before"
    assert "payload:iss" in kept[inputs.REQUEST_PRINCIPAL]
    assert all(each.format_string.omit_empty_values for each in state.on_request_headers)


def test_every_input_has_its_type() -> None:
    for each in (
        inputs.state("k"),
        inputs.header("x-a"),
        inputs.metadata("f", ("a", "b")),
        inputs.SNI,
        inputs.PEER,
    ):
        assert each.typed_config.type_url.startswith("type.googleapis.com/envoy.")
