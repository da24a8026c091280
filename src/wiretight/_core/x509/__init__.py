"""Certificates: their names, their DER, PEM and dictionary, and the compromised keys that are never trusted."""
