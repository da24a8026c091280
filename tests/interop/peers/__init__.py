"""Other implementations of TLS, each as a client and as a server, for test_peers.py and docs/interoperation.md."""
