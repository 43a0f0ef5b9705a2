"""What Mixer can know of a request or connection: typed attributes, who produces them, how values are written.

Below `core.config`, because a configuration kind must know which attributes there are in order to check what it is
given (decision 0023). Nothing here knows the expression language.
"""
