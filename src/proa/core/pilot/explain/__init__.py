"""What becomes of a request, told hop by hop: the simulation's outcome in words, with who is responsible for each step.

Pure: a mesh is handed in as what its proxies hold and where its objects were written. It knows no rule language;
whatever made the resources, their own metadata say who asked for them.
"""
