"""The folder that a run, an evaluation or a sweep leaves."""
