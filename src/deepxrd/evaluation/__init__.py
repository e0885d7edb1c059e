"""Evaluation: finished runs and baselines scored by one path, and compared sample by sample."""
