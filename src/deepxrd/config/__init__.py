"""The configuration: where it lies, its schema, and what may be made from it."""

from deepxrd.config.check import check, plain_values, refuse_misnamed
from deepxrd.config.schema import EVALUATION, CardConfig, EvaluateOptions, conf_dir, null_groups_left_out, register

__all__ = [
    "EVALUATION",
    "CardConfig",
    "EvaluateOptions",
    "check",
    "conf_dir",
    "null_groups_left_out",
    "plain_values",
    "refuse_misnamed",
    "register",
]
