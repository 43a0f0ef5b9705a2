"""Who may do what: one policy value for both languages, its reference evaluator, and what is in force where."""
