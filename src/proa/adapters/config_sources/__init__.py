"""Places configuration comes from; each folder is one, and they do not know each other."""
