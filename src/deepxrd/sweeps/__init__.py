"""Sweeps: several runs, each done once, resumed after a kill, and shown in one line."""
