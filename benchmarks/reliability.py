"""Try what hostile, careless and unlucky users hand in, and write the table of how it ended.

    python benchmarks/reliability.py [--examples 500] [--out results/reliability.md]

The attempts are those of ``tests/hostile``: kinds of files and command lines, each run in a process of its own that is
watched and bounded to 1 GB and 20 s; and readers that are given files changed at random.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deepxrd.io.files import write_text
from deepxrd.io.provenance import git_commit, versions

HOSTILE = Path(__file__).resolve().parents[1] / "tests" / "hostile"


def main() -> None:
    """Try all, print what did not survive, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=500, help="for each reader")
    parser.add_argument("--out", type=Path, default=Path("results/reliability.md"))
    arguments = parser.parse_args()
    sys.path.insert(0, str(HOSTILE))
    with tempfile.TemporaryDirectory() as folder:
        kinds, readers = _try_all(Path(folder), arguments.examples)
    write_text(arguments.out, _page(kinds, readers))
    print(f"results: {arguments.out}")
    died = [row for row in (*kinds, *readers) if row[1] != row[2]]
    for name, tried, survived in died:
        print(f"{name}: {tried - survived} of {tried} did not survive", file=sys.stderr)
    raise SystemExit(1 if died else 0)


Rows = list[tuple[str, int, int]]


def _try_all(folder: Path, n_examples: int) -> tuple[Rows, Rows]:
    from attempts import load_kinds
    from fuzzing import targets
    from making import make_shared
    from trying import server, try_kind

    kinds: Rows = []
    with server() as running:
        (folder / "shared").mkdir()
        shared = make_shared(folder / "shared", running)
        for number, (name, make) in enumerate(load_kinds().items()):
            tried = list(try_kind(make, folder / f"kind-{number}", shared, running))
            for each in tried:
                if each.wrong:
                    print(f"{name}: {each.attempt.name}: {each.wrong}", file=sys.stderr)
            kinds.append((name, len(tried), sum(not each.wrong for each in tried)))
    (folder / "fuzzed").mkdir()
    readers = [(name, *_fuzz(target, folder / "fuzzed", n_examples, name)) for name, target in targets(shared).items()]
    return kinds, readers


def _fuzz(target: object, folder: Path, n_examples: int, name: str) -> tuple[int, int]:
    """How many inputs a reader was given, and how many it survived."""
    from fuzzing import survives

    outcomes: list[bool] = []

    @settings(
        max_examples=n_examples, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def tried(data: st.DataObject) -> None:
        path = target.write(data.draw, folder)  # type: ignore[attr-defined]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                survives(target, path)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is counted
            print(f"{name}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
            outcomes.append(False)
        else:
            outcomes.append(True)

    tried()
    return len(outcomes), sum(outcomes)


def _page(kinds: Rows, readers: Rows) -> str:
    return "\n".join(_lines(kinds, readers)) + "\n"


def _lines(kinds: Rows, readers: Rows) -> Iterator[str]:
    yield "# What was tried, and how it ended"
    yield ""
    yield "Made by `make reliability`, which tries all of it again: nothing here was typed."
    yield ""
    yield (
        "**Files and command lines.** Each was run in a process of its own, bounded to 1 GB of memory and 20 s, in "
        "which opened connections and started programs are noted. Survived: exit code 2 and a message of a few words "
        "(or exit code 0 for what is sound, put among the others on purpose), no traceback, none of the file's code "
        "run, no connection opened."
    )
    yield from _table("kind", kinds)
    yield ""
    yield (
        "**Readers.** Sound files were changed at random (bytes put in, cut out, flipped; values replaced by "
        "anything), and read. Survived: what was read, or an error that one can fix, within 10 s."
    )
    yield from _table("reader", readers)
    yield ""
    found = versions(("torch", "numpy", "pyarrow", "safetensors", "gemmi"))
    made_with = ", ".join(f"{name} {version}" for name, version in found.items())
    yield f"Commit {git_commit()[:12] or 'unknown'}; {made_with}."


def _table(what: str, rows: Rows) -> Iterator[str]:
    yield ""
    yield f"| {what} | tried | survived |"
    yield "|---|---:|---:|"
    for name, tried, survived in rows:
        yield f"| {name} | {tried:,} | {survived:,} |"
    yield f"| **all** | **{sum(row[1] for row in rows):,}** | **{sum(row[2] for row in rows):,}** |"


if __name__ == "__main__":
    main()
