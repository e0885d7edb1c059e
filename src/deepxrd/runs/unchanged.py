"""Whether a resume goes on with the settings that its run began with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deepxrd.config.allowed import current_name
from deepxrd.errors import ConfigError
from deepxrd.io.bounded import read_yaml
from deepxrd.runs.names import CONFIG, OVERRIDES

NO_MATTER = ("source", "build", "paths", "logger", "resume", "runs_at_once", "threads")
"""Settings that say where things are and how they are computed; what is learned from is in the data's hash."""
NO_MATTER_WITHIN = {
    "trainer": ("enable_progress_bar", "log_every_n_steps"),
    "callbacks": ("cuda_graphs",),  # the same kernels on the same numbers
}
"""The same of single settings in a group."""
_GOES_ON = frozenset({"loss", "model", "optimizer", "scheduler", "seed"})
"""Settings that a checkpoint goes on with, whatever is typed; the best network so far was chosen by that loss."""
_TARGET = "_target_"
_MISSING = object()


def refuse_changed(run_dir: Path, again: Mapping[str, Any], *, now: Mapping[str, Any]) -> None:
    """Make sure that what a run notes as typed gives what it began with, and that a resume can have what is typed now.

    The first is not so where the settings were changed from Python, or where a file of settings has changed since.

    Args:
        run_dir: of the run to resume.
        again: the settings that what was typed gives now, plain values.
        now: the same with what is typed for the resume.

    Raises:
        ConfigError: a setting is another, and was not typed, or a run goes on with what it began with; or the run's own
            cannot be read.
    """
    file = run_dir / CONFIG
    if not file.exists():  # stopped before it began
        return
    try:
        kept = read_yaml(file)
    except (OSError, ValueError) as error:
        msg = f"{file} is no configuration of a run ({type(error).__name__}: {error}): start a new run"
        raise ConfigError(msg) from error
    if not isinstance(kept, Mapping):
        msg = f"{file} is no configuration of a run, but {str(kept)[:80]!r}: start a new run"
        raise ConfigError(msg)
    began, composed, asked = (dict(_leaves(values, "")) for values in (kept, again, now))
    for key in [*began, *(key for key in composed if key.endswith(_TARGET) and key not in began)]:
        values = [each.get(key, _MISSING) for each in (began, composed, asked)]
        if _MISSING in values[:2] and not key.endswith(_TARGET):
            continue  # a setting that there was not yet, or is no more
        if values[0] != values[1] and values[1] == values[2]:
            first, then = ("nothing" if value is _MISSING else str(value)[:80] for value in values[:2])
            msg = (
                f"the run in {run_dir} began with {key}={first}, and by its {OVERRIDES} would go on with {then}: a run "
                "begun from Python is resumed there, by deepxrd.fit_and_test with resume in its configuration; or type "
                "all its settings again"
            )
            raise ConfigError(msg)
        if values[0] != values[2] and key.split(".")[0] in _GOES_ON:
            first, typed = ("nothing" if value is _MISSING else str(value)[:80] for value in (values[0], values[2]))
            msg = (
                f"{key}={typed}: the run in {run_dir} began with {first}, which a resume goes on with: leave it out, "
                "or start a new run"
            )
            raise ConfigError(msg)


def _leaves(values: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Each setting that matters by its full name; lists are one, and classes have the names that they have now."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            full = f"{key}.{name}" if key else str(name)
            if not _no_matter(full):
                yield from _leaves(value, full)
    elif key.endswith(_TARGET) and isinstance(values, str):
        yield key, current_name(values)
    else:
        yield key, values


def _no_matter(full: str) -> bool:
    group, _, name = full.partition(".")
    return full in (*NO_MATTER, "trust") or name in NO_MATTER_WITHIN.get(group, ())
