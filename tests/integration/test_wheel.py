"""The wheel works without the checkout: code, configuration files and the console script come with it."""

import csv
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds nothing but the unpacked wheel, installed there by pip."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder / "dist"),
        str(REPOSITORY),
    ]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    [wheel] = (folder / "dist").glob("deepxrd-*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(folder / "site"), str(wheel)]
    subprocess.run(pip, check=True, capture_output=True, timeout=120)
    return folder


def run(installed: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=installed,
        env={**os.environ, "PYTHONPATH": str(installed / "site"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_configuration_and_type_marker_and_no_tests(installed: Path) -> None:
    [wheel] = (installed / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {name.removeprefix("deepxrd/conf/") for name in names if name.startswith("deepxrd/conf/")}
    assert shipped == {str(p.relative_to(REPOSITORY / "conf")) for p in (REPOSITORY / "conf").rglob("*.yaml")}
    assert "deepxrd/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "data/"))]


def test_train_composes_its_configuration_from_the_wheel(installed: Path) -> None:
    where = run(installed, "-c", "import deepxrd.config as c; print(c.conf_dir())").strip()
    assert where == str(installed / "site/deepxrd/conf")
    assert "depth: 20" in run(installed, "-m", "deepxrd.train", "--cfg", "job")


def test_predict_works_from_the_wheel_without_a_checkpoint(installed: Path) -> None:
    shown = run(installed, "-m", "deepxrd.cli", "predict", "SrTiO3", "NaCl", "--out", "shipped")
    assert "SrTiO3\n  known phases: 4\n    mp-5229  P m -3 m (221)" in shown  # the library is in the wheel
    assert "  predicted candidates:\n" in shown
    assert "P m -3 m (221), prototype 221:a|b|c" in shown
    assert "  expected F1 of the peaks" in shown
    assert "NaCl\n  known phases: 3" in shown
    with (installed / "shipped/peaks.csv").open() as stream:
        peaks = [row for row in csv.DictReader(stream) if row["formula"] == "SrTiO3"]
    sure = [float(row["two_theta_deg"]) for row in peaks if float(row["probability_within_1deg"]) > 0.6]
    for line_deg in (32.4, 39.9, 46.5, 57.8):  # of cubic SrTiO3, a = 3.905 Å, Cu Kα: 110, 111, 200, 211
        assert min(abs(each - line_deg) for each in sure) < 1.0


def test_predict_works_from_the_wheel(installed: Path, trained: Path) -> None:
    checkpoint = str(trained / "checkpoints/best.ckpt")
    shown = run(
        installed, "-m", "deepxrd.cli", "predict", "SrTiO3", "--checkpoint", checkpoint, "--unseen", "--out", "out"
    )
    assert shown.startswith("SrTiO3\n  2θ (deg)    d (Å)  intensity   (2θ for λ = 1.54184 Å)\n")
    assert (installed / "out/SrTiO3.png").stat().st_size > 10_000
    assert (installed / "site/bin/deepxrd").exists()
