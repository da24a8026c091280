"""The test kit: what every test of wiretight is written with. tests/README.md lists it."""
