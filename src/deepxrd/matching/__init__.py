"""A scan against structures, known and predicted: which phases it holds, and how sure that is."""
