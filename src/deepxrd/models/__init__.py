"""What predicts patterns: the paper's network, candidate structures, and baselines."""
