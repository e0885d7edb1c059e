"""Retrieval: structures of like compositions, substituted, scaled, simulated, and weighed by a network."""
