"""Certificates: their names, their DER, PEM and dictionary, and the keys that nobody may trust."""
