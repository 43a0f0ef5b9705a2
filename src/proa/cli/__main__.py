"""`python -m proa.cli`: how `proa up` and `proa demo` start the other programs, whatever PATH says."""

from proa.cli.main import main

main()
