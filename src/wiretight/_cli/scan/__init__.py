"""scan: what a server offers, asked with ClientHellos written by hand, and what is to be said about it."""
