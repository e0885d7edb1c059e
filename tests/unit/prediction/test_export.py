"""What is exported is what torch and the tables hold, read by other programs' readers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from deepxrd.chem import Encoding, Formula, OneHotEncoding, parse_formula
from deepxrd.cli.main import main
from deepxrd.errors import ConfigError, PatternError, ResultError
from deepxrd.models.paper import DeepXRDNet, SavedNetwork, load_network
from deepxrd.prediction import network_files
from deepxrd.prediction.network_files import export_network
from deepxrd.prediction.pattern_files import export_patterns
from deepxrd.prediction.predictor import Predictor
from deepxrd.xrd import XrdSettings

FORMULAS = ["SrTiO3", "NaCl", "Ca2SiO4"]
TOLERANCE = 0.01  # of 100


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with an untrained network."""
    torch.manual_seed(0)
    net = {"_target_": "deepxrd.models.paper.DeepXRDNet", "depth": 10}
    settings = {"net": net, "encoding": OneHotEncoding().to_dict(), "xrd": XrdSettings().to_dict()}
    weights = {f"net.{name}": value for name, value in DeepXRDNet(depth=10).state_dict().items()}
    folder = tmp_path_factory.mktemp("run")
    (folder / "checkpoints").mkdir()
    torch.save({"state_dict": weights, "hyper_parameters": settings}, folder / "checkpoints/best.ckpt")
    return folder


@pytest.fixture(scope="module")
def expected(run: Path) -> np.ndarray:
    predictor = Predictor(load_network(run / "checkpoints/best.ckpt"))
    return predictor.predict([parse_formula(formula) for formula in FORMULAS]).patterns


def one_hots() -> np.ndarray:
    return OneHotEncoding().encode([parse_formula(formula) for formula in FORMULAS]).astype(np.float32)


def test_onnx_gives_the_patterns_that_torch_does(run: Path, expected: np.ndarray, tmp_path: Path) -> None:
    if not os.environ.get("CI"):  # there its absence must not be hidden
        pytest.importorskip("onnxruntime", reason="the extra export is not installed")
    import onnx
    import onnxruntime

    file = tmp_path / "net.onnx"
    assert export_network(run, file) < TOLERANCE
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (patterns,) = session.run(None, {"formula": one_hots()})
    np.testing.assert_allclose(patterns, expected, atol=TOLERANCE)
    facts = {each.key: each.value for each in onnx.load(file).metadata_props}["deepxrd"]
    assert OneHotEncoding.from_dict(json.loads(facts)["encoding"]) == OneHotEncoding()


def test_torchscript_gives_the_patterns_that_torch_does(run: Path, expected: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    export_network(run / "checkpoints/best.ckpt", file)
    facts = {"deepxrd.json": ""}
    network = torch.jit.load(file, _extra_files=facts)
    np.testing.assert_allclose(network(torch.from_numpy(one_hots())).numpy(), expected, atol=TOLERANCE)
    assert XrdSettings(**json.loads(facts["deepxrd.json"])["xrd"]) == XrdSettings()


@dataclass(frozen=True)
class Shares(Encoding):
    """Atomic number and share of each of up to four elements."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (8,)

    def encode(self, formulas: Sequence[Formula]) -> np.ndarray:
        return np.zeros((len(formulas), 8), dtype=np.float32)


def test_a_network_of_another_encoding_is_exported_and_its_facts_do_not_say_one_hot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    xrd = XrdSettings(n_points=64)
    saved = SavedNetwork(torch.nn.Linear(8, 64).eval(), Shares(), xrd)
    monkeypatch.setattr(network_files, "load_network", lambda *_, **__: saved)
    assert export_network(tmp_path / "best.ckpt", tmp_path / "net.pt") < TOLERANCE
    facts = {"deepxrd.json": ""}
    network = torch.jit.load(tmp_path / "net.pt", _extra_files=facts)
    assert network(torch.rand(3, 8)).shape == (3, 64)
    said = json.loads(facts["deepxrd.json"])["input"]
    assert said == "float32 of shape (formulas, 8), made by the encoding"


def test_a_network_that_differs_after_its_export_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = network_files._run_torchscript
    monkeypatch.setattr(network_files, "_run_torchscript", lambda file, x: right(file, x) + 0.5)
    with pytest.raises(ResultError, match=r"off by 0\.5 of 100"):
        export_network(run, tmp_path / "net.pt")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_says_why(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.onnx, or \.pt"):
        export_network(run, tmp_path / "net.h5")
    (tmp_path / "model").mkdir()
    with pytest.raises(ConfigError, match="has no single network"):
        export_network(tmp_path, tmp_path / "net.pt")


def test_patterns_of_tables_are_written_as_two_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    grid, curves = np.linspace(0, 180, 16), rng.random((2, 16)) * 100
    header = "two_theta_deg,decoded,expected"
    np.savetxt(tmp_path / "NaCl.csv", np.column_stack([grid, *curves]), "%.4f", ",", header=header, comments="")
    (tmp_path / "peaks.csv").write_text("typed,two_theta_deg\nNaCl,3\n")
    assert export_patterns([tmp_path], tmp_path / "xy") == [tmp_path / "xy/NaCl.xy"]
    np.testing.assert_allclose(np.loadtxt(tmp_path / "xy/NaCl.xy"), np.column_stack([grid, curves[1]]), atol=1e-4)
    export_patterns([tmp_path / "NaCl.csv"], tmp_path / "xy", curve="decoded")
    np.testing.assert_allclose(np.loadtxt(tmp_path / "xy/NaCl.xy")[:, 1], curves[0], atol=1e-4)
    (tmp_path / "NaCl_mp-22862.csv").write_text("two_theta_deg,intensity\n5,0\n6,1\n")  # a structure has one curve
    assert len(export_patterns([tmp_path], tmp_path / "all")) == 2
    assert len(export_patterns([tmp_path], tmp_path / "decoded", curve="decoded")) == 1
    with pytest.raises(PatternError, match="has no pattern 'wrong'"):
        export_patterns([tmp_path], tmp_path / "none", curve="wrong")


def test_what_an_earlier_export_left_is_not_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("NaCl", "KCl"):
        (tmp_path / f"{name}.csv").write_text("two_theta_deg,expected\n5,0\n6,1\n")
    command = ["export", "patterns", "--out", str(tmp_path / "xy")]
    main([*command, str(tmp_path / "NaCl.csv")])
    first = f"1 pattern\nresults: {tmp_path / 'xy'}\n"
    assert capsys.readouterr().out == first
    main([*command, str(tmp_path / "NaCl.csv")])  # written over
    assert capsys.readouterr().out == first
    main([*command, str(tmp_path / "KCl.csv")])
    said = f"1 pattern\nbeside 1 file of an earlier export, such as NaCl.xy\nresults: {tmp_path / 'xy'}\n"
    assert capsys.readouterr().out == said


def test_patterns_of_a_screening_are_written_each_under_a_name_of_its_own(tmp_path: Path) -> None:
    values = np.random.default_rng(1).random((3, 16)).astype(np.float16)
    columns = {
        "formula": pa.array(["NaCl", "CO", "NaCl"]),
        "expected": pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 16),
    }
    (tmp_path / "patterns").mkdir()
    table = pa.table(columns).replace_schema_metadata({"two_theta_deg": "5.0,80.0,16"})
    pq.write_table(table, tmp_path / "patterns/part-00000.parquet")
    assert len(export_patterns([tmp_path], tmp_path / "xy")) == 3
    assert sorted(path.name for path in (tmp_path / "xy").iterdir()) == ["CO_C-O.xy", "NaCl-2.xy", "NaCl.xy"]
    angles, intensities = np.loadtxt(tmp_path / "xy/NaCl-2.xy").T
    np.testing.assert_allclose(angles, np.linspace(5, 80, 16), atol=1e-5)
    np.testing.assert_allclose(intensities, values[2].astype(float), atol=1e-4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "no first column two_theta_deg"),
        ("two_theta_deg,other\n1,2\n", "none of the columns expected"),
        ("two_theta_deg,expected\n1,x\n", "no pattern that can be read"),
    ],
)
def test_a_file_without_a_pattern_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(PatternError, match=message):
        export_patterns([tmp_path / "x.csv"], tmp_path / "xy")
    with pytest.raises(PatternError, match="no pattern in"):
        export_patterns([tmp_path / "nowhere"], tmp_path / "xy")
