"""Where the keys of end users' tokens come from, and where the last good ones are kept."""
