"""One SSL*: its verbs, what it negotiated, and what it takes over from a virtual host."""
