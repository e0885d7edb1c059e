"""A wandb workspace for a sweep: parallel coordinates, loss × score, curves, samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepxrd.analysis.tables import COLUMNS, higher_is_better
from deepxrd.errors import DeepXRDError

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

_SETTINGS = {
    "data.name": "data",
    "loss._target_": "loss",
    "model.depth": "layers",
    "optimizer.lr": "learning rate",
    "data.batch_size": "batch size",
    "seed": "seed",
}
"""Where a run's configuration has what sweeps vary, and what it is called."""


class WandbError(DeepXRDError):
    """The dashboard cannot be made: a package is missing, or nobody is logged in."""


def workspace(entity: str, project: str, sweep: str) -> Workspace:
    """A workspace that shows one sweep; nothing is sent.

    Args:
        entity: user or team.
        project: of the runs.
        sweep: the group of its runs, which is the name of its folder.

    Raises:
        WandbError: wandb's workspace library is not installed.
    """
    try:
        import wandb_workspaces.reports.v2 as panels
        from wandb_workspaces import workspaces
    except ImportError as error:
        msg = f"{error}: a dashboard needs wandb's workspace library, pip install 'deepxrd[dashboard]'"
        raise WandbError(msg) from error
    column = panels.ParallelCoordinatesPlotColumn
    settings = [column(metric=panels.Config(key), display_name=name) for key, name in _SETTINGS.items()]
    scores = {
        score: column(
            metric=panels.SummaryMetric(f"test/{score}"), display_name=name, inverted=not higher_is_better(score)
        )
        for score, name in COLUMNS.items()
    }
    overview = [
        panels.ParallelCoordinatesPlot(title="settings and F1 at 2°", columns=[*settings, scores["peak_f1_2deg"]]),
        panels.ParallelCoordinatesPlot(title="all scores, better upwards", columns=list(scores.values())),
    ]
    by_loss = [
        panels.BarPlot(
            title=f"{name} by loss",
            metrics=[f"test/{score}"],
            groupby=panels.Config("loss._target_"),
            orientation="v",
        )
        for score, name in COLUMNS.items()
    ]
    curves = [
        panels.LinePlot(title=name, x="epoch", y=[name]) for name in ("train/loss", "val/loss", "val/peak_f1_2deg")
    ]
    samples = [panels.MediaBrowser(title="test patterns", media_keys=["test_patterns"])]
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=f"{sweep}: sweep",
        sections=[
            workspaces.Section(name="Settings and scores", panels=overview, is_open=True),
            workspaces.Section(name="Loss × score", panels=by_loss, is_open=True),
            workspaces.Section(name="Curves", panels=curves, is_open=True),
            workspaces.Section(name="Samples", panels=samples, is_open=True),
        ],
        runset_settings=workspaces.RunsetSettings(filters=[workspaces.Metric("Group") == sweep]),
    )


def save_workspace(entity: str | None, project: str, sweep: str) -> str:
    """Save the workspace of a sweep for whoever is logged in.

    Args:
        entity: user or team; None for that of whoever is logged in.
        project: of the runs.
        sweep: the group of its runs.

    Returns:
        Its address.

    Raises:
        WandbError: a package is missing, nobody is logged in, or the service refuses.
    """
    import wandb

    workspace(entity or "somebody", project, sweep)  # a missing package is reported before a login is asked for
    try:
        owner = entity or wandb.Api().default_entity
        return str(workspace(str(owner), project, sweep).save().url)
    except (wandb.errors.Error, ValueError) as error:
        msg = f"wandb refuses: {error}; log in by `wandb login`, and send the runs first by `wandb sync`"
        raise WandbError(msg) from error
