"""The incident pack: what has gone wrong in TLS socket layers, stated as what wiretight guarantees."""
