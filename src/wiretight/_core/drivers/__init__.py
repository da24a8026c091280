"""Who calls the verbs of a connection, and waits: blocking sockets, objects and event loops."""
