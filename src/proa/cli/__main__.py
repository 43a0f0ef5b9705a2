"""`python -m proa.cli`: how `proa up` and `proa demo` start the other programs, whatever PATH says."""

from proa.cli.main import main

if __name__ == "__main__":  # worker processes import this module, too
    main()
