"""Names of the files in the folder that a run, an evaluation or a sweep leaves."""

from __future__ import annotations

CONFIG, OVERRIDES = "config.yaml", "overrides.yaml"
"""The whole configuration, and what of it was given on the command line, which a resume composes again."""
RUN_FACTS = "run.json"
"""Versions, machine, commit and command."""
METRICS, PER_SAMPLE = "metrics.json", "per_sample.parquet"
"""Scores: means over the test part, and those of each sample. A run that has them is finished."""
TEST_PATTERNS = "figures/test_patterns.png"
CHECKPOINTS = "checkpoints"
BEST, LAST = "best", "last"
"""Names of the checkpoints in it."""
BEST_CHECKPOINT = f"{CHECKPOINTS}/{BEST}.ckpt"
LAST_CHECKPOINT = f"{CHECKPOINTS}/{LAST}.ckpt"
MODEL = "model"
"""Folder of a model that is more than the network in its checkpoint."""

SWEEP, SWEEP_RUN = "sweep.json", "sweep_run.json"
"""What a sweep varies, in its folder; and in that of each of its runs how far that one is."""
ERROR = "error.txt"
"""Why a sweep run failed, with the traceback."""
