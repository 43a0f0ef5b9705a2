"""Writes the type stubs of the protobuf modules this repository imports into `typings/`.

The Envoy messages come as Python modules without stubs. Each module carries the descriptor of its .proto
file, and descriptors are all that a protoc plugin reads: so the plugin `mypy_protobuf` is fed from the loaded
modules, and neither protoc nor .proto files are needed. Called by `scripts/setup dev` and `scripts/check`;
run it by hand after writing a new `..._pb2` import. It does nothing while imports and parts stay the same.
"""

import ast
import hashlib
import importlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorProto

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor

REPOSITORY = Path(__file__).resolve().parent.parent
TYPINGS = REPOSITORY / "typings"
STAMP = TYPINGS / ".stamp"
SOURCES = ("src", "tests", "benchmarks", "scripts")
# google.protobuf itself is left out: types-protobuf holds its stubs.
ENVOY_ROOTS = ("envoy", "udpa", "xds", "validate", "opencensus", "opentelemetry", "cel")
GOOGLE_ROOTS = ("google.api", "google.rpc", "google.type", "google.longrunning")
PARTS = ("xds-protos", "googleapis-common-protos", "protobuf", "mypy-protobuf")


def main() -> int:
    modules = sorted({module for source in SOURCES for module in imported_modules(REPOSITORY / source)})
    stamp = digest_of_inputs(modules)
    if STAMP.exists() and STAMP.read_text() == stamp:
        return 0
    files = with_dependencies(modules)
    stubs = generate(files)
    write(stubs)
    STAMP.write_text(stamp)
    print(f"stubs: {len(stubs)} files for {len(modules)} imported protobuf modules")
    return 0


def imported_modules(folder: Path) -> Iterator[str]:
    """The protobuf modules named by any import statement below `folder`, at whatever depth of the code."""
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text()
        if "_pb2" not in text:
            continue
        try:
            tree = ast.parse(text)
        except SyntaxError:  # half-written; ruff and mypy report it better
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    found = [alias.name for alias in names]
                case ast.ImportFrom(module=str(module), names=names, level=0):
                    found = [module, *(f"{module}.{alias.name}" for alias in names)]
                case _:
                    continue
            yield from (name for name in found if name.endswith("_pb2") and is_ours(name))


def is_ours(module: str) -> bool:
    return module.startswith(tuple(f"{root}." for root in ENVOY_ROOTS + GOOGLE_ROOTS))


def digest_of_inputs(modules: list[str]) -> str:
    parts = [f"{part}=={version(part)}" for part in PARTS]
    text = "\n".join([*modules, *parts, Path(__file__).read_text()])
    return hashlib.sha256(text.encode()).hexdigest()


def with_dependencies(modules: list[str]) -> "dict[str, FileDescriptor]":
    """The .proto files of the modules and of all they import, each after the files it depends on."""
    files: dict[str, FileDescriptor] = {}

    def visit(file: "FileDescriptor") -> None:
        if file.name in files:
            return
        for dependency in file.dependencies:
            visit(dependency)
        files[file.name] = file

    for module in modules:
        try:
            visit(importlib.import_module(module).DESCRIPTOR)
        except ModuleNotFoundError as error:
            print(f"stubs: {error} (mypy will point at the import)", file=sys.stderr)
    return files


def generate(files: "dict[str, FileDescriptor]") -> dict[str, str]:
    """Path below `typings/` -> text of the stub. The plugin runs as its own process, as under protoc."""
    request = CodeGeneratorRequest(parameter="quiet")
    for name, file in files.items():
        proto = FileDescriptorProto()
        file.CopyToProto(proto)
        request.proto_file.append(proto)
        if is_ours(name.replace("/", ".")):
            request.file_to_generate.append(name)
    plugin = [sys.executable, "-c", "from mypy_protobuf.main import main; main()"]
    done = subprocess.run(plugin, input=request.SerializeToString(), stdout=subprocess.PIPE, check=True)
    response = CodeGeneratorResponse.FromString(done.stdout)
    if response.error:
        raise SystemExit(f"stubs: {response.error}")
    return {file.name: file.content for file in response.file}


def write(stubs: dict[str, str]) -> None:
    """Touches only what differs: mypy's cache stays warm, and a mypy running beside never sees a gap."""
    for name in list(stubs):
        for folder in Path(name).parents:
            # `google` stays a namespace: other stubs live below it. The rest must be packages, or mypy would
            # prefer the untyped __init__.py of the installed ones.
            if folder.name and str(folder) != "google":
                stubs.setdefault(str(folder / "__init__.pyi"), "")
    for name, text in stubs.items():
        path = TYPINGS / name
        if path.exists() and path.read_text() == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(text)
        draft.replace(path)
    TYPINGS.mkdir(exist_ok=True)
    for path in TYPINGS.rglob("*.pyi"):
        if str(path.relative_to(TYPINGS)) not in stubs:
            path.unlink()


if __name__ == "__main__":
    sys.exit(main())
