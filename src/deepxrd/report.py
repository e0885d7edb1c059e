"""``python -m deepxrd.report``: tables, heat maps and conclusions from the folders of sweeps."""

from __future__ import annotations

import os
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from deepxrd.cli.exit_codes import STARTS_AGAIN, error_once, run_hydra
from deepxrd.config import conf_dir, plain_values, register
from deepxrd.errors import ConfigError

register()


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="report")
@error_once
def report(cfg: DictConfig) -> None:
    """Write the reports of the sweeps and print their tables."""
    from deepxrd.analysis import sweep_tables
    from deepxrd.analysis.sweep_report import report_name, write_report
    from deepxrd.analysis.sweep_scores import SweepScores
    from deepxrd.analysis.tables import show

    plain = plain_values(cfg, "report")
    folders = [plain["sweeps"]] if isinstance(plain["sweeps"], str) else plain["sweeps"] or []
    if not folders:
        msg = "no sweep given: name its folder by sweeps=outputs/sweeps/table4"
        raise ConfigError(msg)
    out = Path(HydraConfig.get().runtime.output_dir)
    read = [SweepScores.read(folder, plain["metric"]) for folder in folders]
    names = [report_name(scores) for scores in read]
    if twice := [name for name in names if names.count(name) > 1]:
        msg = (
            f"two of these sweeps are called {twice[0]}, and one report would replace the other: report each by itself"
        )
        raise ConfigError(msg)
    for scores in read:
        page = write_report(scores, out)
        show(sweep_tables.terminal(scores))
        print(f"results: {os.path.relpath(page)}")  # noqa: T201 - what the user asks for


def main() -> None:
    """Entry point."""
    run_hydra(report, if_stopped=STARTS_AGAIN)


if __name__ == "__main__":
    main()
