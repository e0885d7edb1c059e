"""What Hydra does at the start of a sweep: write down its runs, and watch them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write

from deepxrd.runs.sweep_folder import SweepFolder, run_name
from deepxrd.sweeps.resolvers import register_resolvers
from deepxrd.sweeps.share import COMMAND
from deepxrd.sweeps.watch import SweepWatch


class PlanSweep(Callback):
    """Plans a sweep in its folder, so that each run knows its name and a report knows what is missing."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Write ``sweep.json``, hand the folder on to the sweep runs, and show one line for the whole."""
        folder = Path(config.hydra.sweep.dir).resolve()
        given = [*_as_overrides(config.hydra.sweeper.get("params")), *config.hydra.overrides.task]
        choices: Any = OmegaConf.to_container(config.hydra.runtime.choices)
        listed = choices.get("hydra/sweeper") in (None, "basic")
        keys, runs = plan(given) if listed else (varied(given), [])
        now = datetime.now(UTC)
        facts = {
            "table": choices.get("sweep"),
            "keys": keys,
            "session": now.isoformat(),
            "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        }
        sweep = SweepFolder.plan(folder, runs, facts)
        with read_write(config.hydra):
            config.hydra.sweep.dir = str(folder)
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={json.dumps(str(folder), ensure_ascii=False)}")
        os.environ[COMMAND] = str(os.getpid())
        SweepWatch(sweep).start()

    def __reduce__(self) -> tuple[Callable[[], PlanSweep], tuple[()]]:
        """A worker gets this before it composes its sweep run, and must know the resolvers by then."""
        return _in_worker, ()


def _in_worker() -> PlanSweep:
    register_resolvers()
    return PlanSweep()


def plan(given: list[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """What a sweep varies, and the values of each of its runs.

    Args:
        given: settings, those of the sweep's file first.
    """
    keys = varied(given)
    [jobs] = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(given), None)
    return keys, [values_of(job, keys) for job in jobs]


def varied(given: list[str]) -> list[str]:
    """What a sweep varies; of a sweeper such as Optuna's more is not known before its runs."""
    overrides = OverridesParser.create().parse_overrides(given)
    return list(dict.fromkeys(each.get_key_element() for each in overrides if each.is_sweep_override()))


def name_of(folder: Path, job: Sequence[str]) -> str:
    """Name of the run of a planned sweep that has these settings."""
    return run_name(values_of(job, SweepFolder.open(folder).keys))


def values_of(job: Sequence[str], keys: list[str]) -> dict[str, Any]:
    """The values of a sweep run, from its settings."""
    values = {each.get_key_element(): _plain(each) for each in OverridesParser.create().parse_overrides(list(job))}
    return {key: values[key] for key in keys}


def _plain(override: Override) -> Any:
    value: Any = override.value()
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _as_overrides(params: DictConfig | None) -> list[str]:
    return [f"{key!s}={value}" for key, value in (params or {}).items()]
