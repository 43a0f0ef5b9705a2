# Each target sets up what it needs by itself; the work is done in scripts/.
.PHONY: help demo test check format golden bench lock clean
.DEFAULT_GOAL := help

help:  ## this table
	@printf '\n  Proa, a service mesh that installs with pip\n\n'
	@awk -F ':  ## ' '/^[a-z]+:  ## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n  Variables: CHECK=1 for demo; ARGS="..." is passed on to the script behind test, golden, bench and lock.\n\n'

demo:  ## the bookstore in a mesh on this machine until Ctrl-C; CHECK=1 proves it and ends
	@scripts/setup run
	@exec .venv/bin/proa demo $(if $(filter-out 0 no,$(CHECK)),--check)

test:  ## all tests; ARGS="unit -k names" for some
	@scripts/setup dev
	@scripts/test $(ARGS)

check:  ## form, lint, types, import contracts, mirrored tests
	@scripts/setup dev
	@scripts/check

format:  ## rewrite the sources in the house's form
	@scripts/setup dev
	@scripts/format

golden:  ## rewrite the golden files from what the code says now
	@scripts/setup dev
	@scripts/golden $(ARGS)

bench:  ## measure; ARGS="NAME... --full"
	@scripts/setup dev
	@scripts/bench $(ARGS)

lock:  ## compile the pinned requirements anew; ARGS=--upgrade for newer versions
	@scripts/setup dev
	@scripts/lock $(ARGS)

clean:  ## remove everything that was made here: environment, stubs, caches
	rm -rf .venv typings build dist src/*.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
