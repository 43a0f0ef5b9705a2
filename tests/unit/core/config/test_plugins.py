import pytest

from proa.core.config.plugins import EnvVar, VmConfig, WasmSource, check_wasm


@pytest.mark.parametrize("url", ["a/b", "oci://a/b:1", "https://a/b.wasm", "file:///a/b.wasm"])
def test_fine_plugins(url: str) -> None:
    assert list(check_wasm(WasmSource(url=url, sha256="0" * 64), ("spec",))) == []


@pytest.mark.parametrize("url", ["", "ftp://a/b", "file://", "https:///b"])
def test_bad_addresses(url: str) -> None:
    assert [found.path for found in check_wasm(WasmSource(url=url), ("spec",))] == [("spec", "url")]


def test_bounds_and_variables() -> None:
    source = WasmSource(
        url="a",
        sha256="0",
        plugin_name="a" * 257,
        image_pull_secret="a" * 254,
        vm_config=VmConfig(
            env=(
                EnvVar(name=""),
                EnvVar(name="A"),
                EnvVar(name="A"),
                EnvVar(name="B", value_from="HOST", value="b"),
                EnvVar(name="C", value="c" * 3000),
            )
        ),
    )
    found = [(each.path[-1], each.code) for each in check_wasm(source, ())]
    assert found == [
        ("sha256", "bad-value"),
        ("pluginName", "too-large"),
        ("imagePullSecret", "too-large"),
        ("name", "required"),
        ("name", "duplicate"),
        ("value", "conflict"),
        (4, "too-large"),
    ]
