"""Sources into contributions: how each kind of source speaks the standard service model.

Pure conversions; the world folds what comes out. Nothing here looks at another source.
"""
