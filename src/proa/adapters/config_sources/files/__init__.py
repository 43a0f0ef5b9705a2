"""A directory of YAML and JSON files as a source of configuration."""

from proa.adapters.config_sources.files.source import FilesSource

__all__ = ["FilesSource"]
