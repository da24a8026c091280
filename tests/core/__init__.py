"""The guarantees of the core, tested on connections whose every byte the test controls, and with busy threads."""
