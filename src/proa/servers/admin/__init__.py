"""The admin API: HTTP with JSON over a Unix socket that only the mesh's owner can open."""
