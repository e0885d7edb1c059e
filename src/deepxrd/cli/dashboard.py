"""``deepxrd dashboard``: a wandb workspace of a sweep, made for whoever is logged in."""

from __future__ import annotations

import argparse


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``deepxrd``."""
    dashboard = commands.add_parser(
        "dashboard",
        help="a wandb workspace of a sweep",
        description="Make a wandb workspace of a sweep whose runs were logged by logger=wandb: parallel coordinates, "
        "loss × score, curves, samples. Log in first by `wandb login`.",
    )
    dashboard.add_argument("--sweep", required=True, help="the group of its runs: the name of the sweep's folder")
    dashboard.add_argument("--project", default="deepxrd", help="of the runs (default: deepxrd)")
    dashboard.add_argument("--entity", help="user or team (default: that of whoever is logged in)")
    dashboard.set_defaults(work=_dashboard)


def _dashboard(options: argparse.Namespace) -> None:
    from deepxrd.sweeps.dashboard import save_workspace

    print(f"results: {save_workspace(options.entity, options.project, options.sweep)}")  # noqa: T201 - what the user asks for
