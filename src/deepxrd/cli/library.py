"""``deepxrd library``: build, describe, search and export libraries of structures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from deepxrd.cli.options import add_library_option
from deepxrd.errors import DeepXRDError
from deepxrd.io.words import counted

if TYPE_CHECKING:
    from deepxrd.library import Found, Libraries

_SHOWN = 40
_NAMED = 10


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``deepxrd``."""
    library = commands.add_parser("library", help="libraries of structures: build, info, find, export")
    verbs = library.add_subparsers(dest="verb", required=True, metavar="VERB")
    build = verbs.add_parser("build", help="a library from any source of structures")
    build.add_argument("path", type=Path, help="the file to write, such as mine.dxl")
    build.add_argument(
        "settings", nargs="+", metavar="SETTING",
        help="of the source, as for deepxrd.train: source=files source.path=cifs, source=materials_project, …",
    )  # fmt: skip
    build.add_argument("--name", help="what to call it (default: the file's name)")
    build.add_argument("--licence", default="", help="of the structures")
    build.add_argument("--jobs", type=int, default=-1, metavar="N", help="processes (default: one per core)")
    build.add_argument("--overwrite", action="store_true", help="replace another library at the path")
    build.set_defaults(work=_build)
    info = verbs.add_parser("info", help="what a library holds, its licence and citation")
    info.set_defaults(work=_info)
    find = verbs.add_parser("find", help="phases by formula, by elements, or by prototype")
    _add_search(find)
    find.set_defaults(work=_find)
    export = verbs.add_parser("export", help="structures as CIF files")
    _add_search(export)
    export.add_argument("--out", type=Path, default=Path("cifs"), help="folder for the CIFs (default: cifs)")
    export.set_defaults(work=_export)
    for verb in (info, find, export):
        add_library_option(verb)


def _add_search(command: argparse.ArgumentParser) -> None:
    command.add_argument("--formula", help="such as Al2SiO5")
    command.add_argument("--elements", help="such as Ca,W,O: all phases made of these elements, or of some of them")
    command.add_argument("--all-elements", action="store_true", help="with --elements: none of them may be missing")
    command.add_argument("--prototype", help="such as 221:a|b|c, as find shows them")
    command.add_argument("--id", help="such as mp-5229")


def _build(options: argparse.Namespace) -> None:
    from hydra.errors import HydraException

    from deepxrd.config.hydra_words import in_words
    from deepxrd.config.instantiate import build
    from deepxrd.config.stored import compose_source
    from deepxrd.io.stopping import check_jobs
    from deepxrd.library.build import LibraryInput, build_library
    from deepxrd.library.card import card_path
    from deepxrd.sources import Source

    check_jobs(options.jobs, option="--jobs ")
    try:
        source = build(compose_source(options.settings), Source)  # type: ignore[type-abstract]
    except HydraException as error:
        msg = f"{in_words(error)}; give the source as deepxrd.train takes it, such as source=files source.path=cifs"
        raise DeepXRDError(msg) from error
    name = options.name or options.path.stem
    inputs = [LibraryInput(source, licence=options.licence)]
    library = build_library(inputs, options.path, name=name, n_jobs=options.jobs, overwrite=options.overwrite)
    print(counted(len(library), "structure"))  # noqa: T201 - what the user asks for
    n_failed, named = library.header["counts"]["failed"], list(library.header["failed"].items())[:_NAMED]
    if n_failed:
        print(f"left out, as they cannot be kept: {n_failed:,}")  # noqa: T201
        print("\n".join(f"  {entry}: {reason}" for entry, reason in named))  # noqa: T201
        if n_failed > len(named):
            print(f"  and {n_failed - len(named):,} more")  # noqa: T201
    print(f"results: {options.path}, {card_path(options.path)}")  # noqa: T201


def _info(options: argparse.Namespace) -> None:
    for library in _open(options).libraries:
        print(f"{library.name}: {counted(len(library), 'structure')}")  # noqa: T201 - what the user asks for
        yes, no, not_recorded = library.experiment_counts()
        print(f"  known from experiment: {yes:,}; computed only: {no:,}; not recorded: {not_recorded:,}")  # noqa: T201
        for source in library.sources:
            held = ", held out: shown to users, never learned from" if source.held_out else ""
            print(f"  {source.name}{held}\n    licence: {source.licence or 'unknown'}")  # noqa: T201
            print(f"    cite: {source.citation or 'unknown'}")  # noqa: T201


def _find(options: argparse.Namespace) -> None:
    from deepxrd.prediction.known_folder import phase_label

    found = _search(options)
    phases = found.phases()
    for phase in phases[:_SHOWN]:
        print(f"{phase.formula!s:16} {phase_label(phase)}, prototype {phase.prototype}")  # noqa: T201 - asked for
    if len(phases) > _SHOWN:
        print(f"and {len(phases) - _SHOWN} more: narrow the search, or use deepxrd library export")  # noqa: T201
    print(counted(len(phases), "phase"))  # noqa: T201


def _export(options: argparse.Namespace) -> None:
    from deepxrd.io.files import write_text
    from deepxrd.io.progress import progress_bar
    from deepxrd.library import cif_text
    from deepxrd.prediction.known_folder import phase_comment, phase_file_name

    found = _search(options)
    if not len(found):
        msg = "the library holds no such structure: deepxrd library find shows what it holds"
        raise DeepXRDError(msg)
    pairs = list(zip(found.phases(), found.asymmetric_units(), strict=True))
    with progress_bar() as bar:
        for phase, unit in bar.track(pairs, description="Writing CIFs"):
            text = cif_text(unit, name=f"{phase.formula}_{phase.material_id}", comment=phase_comment(phase))
            write_text(options.out / f"{phase_file_name(phase)}.cif", text)
    print(f"{counted(len(pairs), 'structure')}\nresults: {options.out}")  # noqa: T201 - what the user asks for


def _open(options: argparse.Namespace) -> Libraries:
    from deepxrd.prediction.known import open_libraries

    return open_libraries(options.library)


def _search(options: argparse.Namespace) -> Found:
    from deepxrd.chem import parse_typed_formula
    from deepxrd.library import Prototype
    from deepxrd.matching.asked import parse_elements

    given = [key for key in ("formula", "elements", "prototype", "id") if getattr(options, key)]
    if len(given) != 1:
        msg = "say what to find: one of --formula Al2SiO5, --elements Ca,W,O, --prototype '221:a|b|c', --id mp-5229"
        raise DeepXRDError(msg)
    if options.all_elements and not options.elements:
        msg = "--all-elements is for --elements Ca,W,O, of which none may be missing: leave it out, or give elements"
        raise DeepXRDError(msg)
    libraries = _open(options)
    if options.formula:
        return libraries.find_formula(parse_typed_formula(options.formula))
    if options.elements:
        return libraries.find_elements(parse_elements(options.elements), subsets=not options.all_elements)
    if options.prototype:
        return libraries.find_prototype(Prototype.from_label(options.prototype))
    return libraries.find_id(options.id)
