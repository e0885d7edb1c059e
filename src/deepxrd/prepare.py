"""``python -m deepxrd.prepare``: build a data set, or open it if it is there, and say what it holds."""

from __future__ import annotations

import os

import hydra
from omegaconf import DictConfig

from deepxrd.cli.exit_codes import error_once, run_hydra
from deepxrd.config import CardConfig, conf_dir, plain_values, refuse_misnamed, register
from deepxrd.config.own_class import drop_defaults_of_command
from deepxrd.config.own_error import own_errors

register()


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="prepare")
@error_once
def prepare(cfg: DictConfig) -> None:
    """Build the store, split it, and print and write what is in it."""
    drop_defaults_of_command(cfg)
    plain = plain_values(cfg, "prepare")
    refuse_misnamed(plain)
    from deepxrd.sources.early import refuse_unreadable

    refuse_unreadable(plain["source"])
    from deepxrd.analysis.data_card_files import refuse_unusable, write_data_card
    from deepxrd.data.assemble import make_data

    options = CardConfig(**plain["card"]) if plain["card"] else None
    if options:
        refuse_unusable(options)
    with own_errors(plain):
        data = make_data(plain)
        store = data.store
    if options:
        n_jobs = plain["build"]["n_jobs"]
        folder = write_data_card(store, data.split, name=plain["data"]["name"], options=options, n_jobs=n_jobs)
        _show((folder / "data_card.md").read_text(encoding="utf-8"))
        print(f"card: {os.path.relpath(folder)}")  # noqa: T201 - what the user asks for
    print(f"data: {os.path.relpath(store.path)}")  # noqa: T201 - what the user asks for


def _show(markdown: str) -> None:
    """Print a card; as plain text of a fixed width where the output is a file."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    console.print(Markdown(markdown))


def main() -> None:
    """Entry point."""
    run_hydra(prepare)


if __name__ == "__main__":
    main()
