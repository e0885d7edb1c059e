"""Errors that the user can fix; entry points print them without a traceback and exit with code 2."""

from __future__ import annotations


class DeepXRDError(Exception):
    """Base of all errors whose message is meant for a person: it names the offending value and the way out."""

    exit_code = 2


class FormulaError(DeepXRDError, ValueError):
    """A formula that cannot be parsed, or does not fit the encoding."""


class SourceError(DeepXRDError):
    """A source of structures that is missing, empty or broken."""


class ScanError(SourceError):
    """A measured pattern that is missing, damaged, or cannot be understood for certain."""


class SelectionError(DeepXRDError):
    """A selection that leaves nothing to learn from."""


class StoreError(DeepXRDError):
    """A pattern store that is missing, damaged or made with other settings."""


class LibraryError(DeepXRDError):
    """A library of structures that is missing, damaged, or does not hold what is asked for."""


class CheckpointError(DeepXRDError):
    """A checkpoint that is none, or was made with another encoding."""


class ScreeningError(DeepXRDError):
    """A screening that lost one of its processes."""


class ClusterError(DeepXRDError):
    """Workers of a cluster that are unlike this process, that were killed, or that are gone."""


class ConfigError(DeepXRDError):
    """A configuration that cannot be used."""


class TrainingDivergedError(DeepXRDError):
    """A loss, a gradient, a weight or a prediction that is no longer a finite number."""


class ResultError(DeepXRDError):
    """A result that must not be written."""


class BusyError(DeepXRDError):
    """A folder that another process works in."""


class PatternError(DeepXRDError, ValueError):
    """Arrays or structures that a function cannot take for patterns, or make patterns of."""
