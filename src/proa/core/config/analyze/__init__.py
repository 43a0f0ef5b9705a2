"""What is wrong between objects that are each fine by themselves: `proa analyze`.

`world` is what is known, each of the modules around it looks for one family of faults, `analysis` runs them all, and
`codes` says what each message means. Every check is linear in the objects, by indexes the world is built with.
"""
