"""`ssl` in Python: contexts, sockets, objects, constants. A room of its own imports none of the others."""
