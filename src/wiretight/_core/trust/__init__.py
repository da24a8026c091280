"""Which CA certificates and CRLs a context trusts, and where a system keeps them."""
