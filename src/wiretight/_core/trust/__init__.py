"""Which CA certificates and CRLs a context trusts, where a system keeps them, and how a chain is verified."""
