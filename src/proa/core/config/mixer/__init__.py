"""Mixer's templates and adapters as configuration: what their objects say, and who has which.

The kinds table makes a row of each; handlers and instances of the newer style are read by the same.
"""
