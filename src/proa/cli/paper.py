"""A mesh that files describe, to ask without a control plane."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from proa.cli.output import print_problems
from proa.cli.surroundings import Failure

if TYPE_CHECKING:
    from proa.control_plane.paper_mesh import PaperMesh
    from proa.core.config import Batch


def valid_batch(
    files: tuple[tuple[str, ...], tuple[str, ...]], namespace: str, *, only_in_force: bool = True
) -> "Batch":
    """The objects of the files named with -f and of those named without; Failure when they have errors, which are
    printed. Without `only_in_force` also those on which nothing acts yet."""
    from proa.adapters.policy_catalog import installed
    from proa.cli.documents import read_files
    from proa.core.config import read_batch

    named = [(file.name, file.text) for file in read_files(*files)]
    batch = read_batch(named, namespace, only_in_force=only_in_force, catalogue=installed().catalogue)
    print_problems(batch.problems)
    if not batch.is_valid:
        raise Failure("the files have errors")
    return batch


@contextmanager
def paper_mesh(
    files: tuple[tuple[str, ...], tuple[str, ...]], namespace: str, *, only_in_force: bool = True
) -> "Iterator[PaperMesh]":
    """What cannot be asked of it inside the block is a Failure."""
    from proa.adapters.policy_catalog import installed
    from proa.control_plane.mixer.explaining import UnknownRule
    from proa.control_plane.paper_mesh import PaperMesh, UnknownWorkload
    from proa.core.pilot.explain.asking import BadQuestion

    mesh = PaperMesh(
        valid_batch(files, namespace, only_in_force=only_in_force).objects, catalogue=installed().catalogue
    )
    try:
        yield mesh
    except (UnknownWorkload, UnknownRule, BadQuestion) as error:
        raise Failure(str(error)) from None
