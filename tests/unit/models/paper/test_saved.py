from pathlib import Path

import numpy as np
import pytest
import torch

from deepxrd.chem import OneHotEncoding, parse_formula
from deepxrd.errors import CheckpointError, FormulaError
from deepxrd.models.paper import load_checkpoint, load_network, to_patterns
from deepxrd.prediction.predictor import Predictor
from deepxrd.xrd import XrdSettings


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint of an untrained network, as the LightningModule writes it."""
    from deepxrd.models.paper import DeepXRDNet

    torch.manual_seed(0)
    net = {"_target_": "deepxrd.models.DeepXRDNet", "depth": 10}
    settings = {"net": net, "encoding": OneHotEncoding().to_dict(), "xrd": XrdSettings().to_dict()}
    weights = {f"net.{name}": value for name, value in DeepXRDNet(depth=10).state_dict().items()}
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": weights, "hyper_parameters": settings}, path)
    return path


def change(path: Path, **settings: object) -> None:
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"].update(settings)
    torch.save(content, path)


def test_a_checkpoint_gives_the_network_its_encoding_and_its_grid(checkpoint: Path) -> None:
    network = load_network(checkpoint)
    assert network.encoding == OneHotEncoding()
    assert network.xrd == XrdSettings()
    assert not network.net.training


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*nothing\.ckpt"):
        load_checkpoint(tmp_path / "nothing.ckpt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x04K\x01.", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x\.ckpt is no"):
        load_checkpoint(path)


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": {}, "hyper_parameters": torch.nn.Linear(1, 1)}, path)
    with pytest.raises(CheckpointError, match="no checkpoint that can be read safely"):
        load_checkpoint(path)


def test_a_checkpoint_cannot_name_a_function_to_call(checkpoint: Path, tmp_path: Path) -> None:
    flag = tmp_path / "called"
    change(checkpoint, net={"_target_": "pathlib.Path.touch", "self": str(flag)})
    with pytest.raises(CheckpointError, match=r"'pathlib\.Path\.touch'|does not fit"):
        load_network(checkpoint)
    assert not flag.exists()


def test_weights_made_with_another_encoding_are_refused(checkpoint: Path) -> None:
    change(checkpoint, encoding=OneHotEncoding(n_counts=20).to_dict())
    with pytest.raises(CheckpointError, match="another encoding"):
        load_network(checkpoint)


def test_predictions_have_the_stated_shape_range_and_grid(checkpoint: Path) -> None:
    predictor = Predictor.load(checkpoint)
    patterns = predictor.patterns(["SrTiO3", "Fe3(OF2)2"])
    assert patterns.shape == (2, 1024)
    assert patterns.dtype.name == "float32"
    assert patterns.min(axis=1).tolist() == [0.0, 0.0]
    assert patterns.max(axis=1).tolist() == pytest.approx([100.0, 100.0], abs=1e-4)
    assert predictor.two_theta.shape == (1024,)
    assert predictor.two_theta[[0, -1]].tolist() == [0.0, 180.0]
    assert predictor.patterns([]).shape == (0, 1024)


def test_equal_compositions_have_equal_patterns_whatever_the_batch(checkpoint: Path) -> None:
    predictor = Predictor.load(checkpoint)
    formulas = ["SrTiO3", "BaZrO3", "TiSrO3", "Sr2Ti2O6", "NaCl"]
    patterns = predictor.patterns(formulas, batch_size=2)
    assert abs(patterns - predictor.patterns(formulas, batch_size=5)).max() < 1e-3
    assert abs(patterns[0] - patterns[2]).max() < 1e-3
    assert abs(patterns[0] - patterns[3]).max() < 1e-3
    assert abs(patterns[0] - patterns[1]).max() > 1e-2


def test_a_formula_outside_the_box_is_named(checkpoint: Path) -> None:
    with pytest.raises(FormulaError, match="12 atoms of Ti"):
        Predictor.load(checkpoint).patterns(["SrTiO3", "SrTi12O3"])


def test_patterns_run_from_0_to_100_whatever_the_offset_and_scale() -> None:
    raw = torch.rand(4, 1024) - 0.5
    expected = to_patterns(raw)
    assert expected.amin(dim=1).tolist() == [0.0] * 4
    assert expected.amax(dim=1).tolist() == pytest.approx([100.0] * 4)
    torch.testing.assert_close(to_patterns(7 * raw + 3), expected, atol=1e-3, rtol=0)
    assert torch.equal(to_patterns(torch.ones(1, 1024)), torch.zeros(1, 1024))


def test_bf16_is_what_autocast_gives_and_has_a_fingerprint_of_its_own(checkpoint: Path) -> None:
    exact, quick = (Predictor.load(checkpoint, bf16=bf16) for bf16 in (False, True))
    formulas = [parse_formula(text) for text in ("SrTiO3", "BaZrO3", "NaCl")]
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        raw = load_network(checkpoint).net(torch.from_numpy(OneHotEncoding().encode(formulas)).float())
    np.testing.assert_array_equal(quick.patterns(formulas), to_patterns(raw).numpy())
    assert (quick.patterns(formulas) != exact.patterns(formulas)).any()
    assert quick.fingerprint != exact.fingerprint


def test_a_fingerprint_tells_other_weights_and_other_settings(checkpoint: Path) -> None:
    first = Predictor.load(checkpoint).fingerprint
    assert Predictor.load(checkpoint).fingerprint == first
    change(checkpoint, xrd=XrdSettings(radiation="MoKa").to_dict())
    second = Predictor.load(checkpoint).fingerprint
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"]["net.dense.bias"][0] += 1e-3
    torch.save(content, checkpoint)
    assert len({first, second, Predictor.load(checkpoint).fingerprint}) == 3
