"""Sweeps: cells that are run once, resumed after a kill, and told of in one line."""
