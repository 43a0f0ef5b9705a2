"""The rule language: text to documents, documents to valid Configs or Problems, Configs back to text.

Everything outside `core/config` imports from here, or a kind's structs from its `schema`.
"""

from proa.core.config.batch import Batch, Written, read_batch
from proa.core.config.config import Config, Examined, Loaded, examine, load, load_all
from proa.core.config.diff import diff
from proa.core.config.document import Document, Parsed, parse
from proa.core.config.kinds import KINDS, AnyKind, Spec, find_kind
from proa.core.config.legacy.convert import convert
from proa.core.config.meta import Meta
from proa.core.config.path import Path, path_text
from proa.core.config.problem import Problem
from proa.core.config.render import to_manifest, to_yaml
from proa.core.config.tree import Json

__all__ = [
    "KINDS",
    "AnyKind",
    "Batch",
    "Config",
    "Document",
    "Examined",
    "Json",
    "Loaded",
    "Meta",
    "Parsed",
    "Path",
    "Problem",
    "Spec",
    "Written",
    "convert",
    "diff",
    "examine",
    "find_kind",
    "load",
    "load_all",
    "parse",
    "path_text",
    "read_batch",
    "to_manifest",
    "to_yaml",
]
