"""OpenSSL's headers, one `.pxd` each, and what its versions call differently (`compat.h`)."""
