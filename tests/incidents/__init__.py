"""The incident pack: past failures of TLS socket layers, tested as guarantees of wiretight."""
