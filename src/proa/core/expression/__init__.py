"""Mixer's expression language: `source.labels["app"] | "unknown"`, from text to something that can be evaluated.

    parse(text)                             -> Expression or a Fault
    check(expression, vocabulary, expected) -> Checked (with its type) or Faults
    compile_checked(checked)                -> Program: program.evaluate(bag), program.trace(bag)

A Fault says in which column, what is wrong and what to do. Below `core.config`, so that each configuration kind
parses and checks its expressions by itself (decision 0023). docs/expressions.md describes the language.
"""
