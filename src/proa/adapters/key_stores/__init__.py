"""Places where private keys rest; each folder is one, and they do not know each other."""
