"""The candidate model as a whole, on made-up structures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deepxrd.chem import parse_formula
from deepxrd.errors import CheckpointError, ConfigError
from deepxrd.models.baselines import MeanPattern, Reference
from deepxrd.models.candidates import CandidateModel, CandidateNet
from deepxrd.models.candidates.answers import weighed
from deepxrd.models.candidates.candidates import N_FEATURES
from deepxrd.models.candidates.describe import N_BEFORE
from deepxrd.models.candidates.network import attention_mask
from deepxrd.models.candidates.saved import load, save
from deepxrd.xrd import XrdSettings, find_peaks
from made_candidates import XRD, crystals, reference_of, untrained

TARGETS = [parse_formula(text) for text in ("RaTiO3", "SrHfS3", "MgZrF3", "CaTiO3", "CsCl")]
STRANGE = [parse_formula(text) for text in ("Fe2O3", "CaTiN3", "La7Sr3Mn10O30")]
"""Of another stoichiometry, or with elements that nothing else has: answered, but not known."""


def test_the_network_minds_neither_the_company_nor_padding_nor_the_order_of_elements() -> None:
    torch.manual_seed(0)
    net = CandidateNet(9, XRD.two_theta_deg).eval()
    torch.nn.init.normal_(net.unet.out[2].weight, std=0.1)
    features, elements = torch.randn(5, 16, 9), torch.randint(1, 119, (5, 16, 6))
    mask = torch.arange(16)[None].expand(5, -1) < torch.tensor([1, 4, 16, 7, 2])[:, None]
    patterns = torch.rand(5, 16, 1024)
    with torch.no_grad():
        together = net(features, elements, mask, patterns)
        for row in range(5):
            alone = net(*(each[row : row + 1] for each in (features, elements, mask, patterns)))
            for one, other in zip(alone, together, strict=True):
                torch.testing.assert_close(one[0], other[row], rtol=1e-3, atol=1e-4)
        noise = torch.where(mask[..., None], patterns, torch.rand_like(patterns))
        changed = net(torch.where(mask[..., None], features, 7.0), elements, mask, noise)
        order = torch.tensor([2, 0, 1])
        features[..., -3:] = 0.3  # shares of atoms, equal as the network's view of single features is not turned
        before = net(features, elements, mask, patterns)
        turned = net(
            features, torch.cat([elements[..., :3][..., order], elements[..., 3:][..., order]], -1), mask, patterns
        )
    assert all(torch.isfinite(each).all() for each in together)
    for one, other in ((changed, together), (turned, before)):
        torch.testing.assert_close(one.pattern, other.pattern, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(one.peaks, other.peaks, rtol=1e-3, atol=1e-4)


def test_the_mask_of_attention_is_torchs_mask_of_padding() -> None:
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(128, 4, 256, 0.1, torch.nn.functional.silu, batch_first=True).eval()
    h, mask = torch.randn(3, 16, 128), torch.arange(16)[None] < torch.tensor([1, 5, 16])[:, None]
    with torch.no_grad():
        ours = layer(h, src_mask=attention_mask(mask, h.dtype))
        theirs = layer(h, src_key_padding_mask=~mask)
    torch.testing.assert_close(ours[mask], theirs[mask])


def test_the_faster_model_asks_its_last_network_fewer_candidates(reference: Reference) -> None:
    several = untrained(reference, seeds=(1, 2))
    said = several.faster().predict(TARGETS)
    (found,) = said.candidates
    assert found.place.shape == (len(TARGETS), 8)
    alone = replace(several, nets=several.nets[-1:], most=8).predict(TARGETS)
    np.testing.assert_array_equal(said.patterns, alone.patterns)
    (every,) = several.predict(TARGETS).candidates
    assert every.place.shape == (len(TARGETS), 16)


def test_predictions_are_patterns_with_their_peaks(model: CandidateModel) -> None:
    said = model.predict([*TARGETS, *STRANGE])
    assert said.columns["known"].tolist() == [True] * 5 + [False] * 3
    for patterns in (said.patterns, *said.further.values()):
        assert patterns.dtype == np.float32
        assert patterns.min() >= 0
        np.testing.assert_allclose(patterns.max(axis=1), 100.0, rtol=1e-3)
    found = find_peaks(said.patterns, XRD.two_theta_deg)
    np.testing.assert_array_equal(found.two_theta_deg, said.peaks.two_theta_deg)
    assert said.peak_probability.shape == found.intensity.shape
    assert (said.peak_probability[said.peaks.valid] > 0).all()
    assert list(said.further) == ["best", "expected"]
    (found,) = said.candidates
    share, probability = weighed(found)
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    assert (probability >= 0).all()
    assert (probability.sum(axis=1) < 1).all()


def test_every_formula_gets_an_answer_of_its_own(model: CandidateModel, reference: Reference) -> None:
    said = model.predict(STRANGE)
    mean = MeanPattern().fit(reference).pattern
    assert all(candidates.mask.any(axis=1).all() for candidates in said.candidates)
    assert all(not np.allclose(pattern, mean, atol=1.0) for pattern in said.further["best"])


def test_intensities_of_peaks_are_those_of_the_expected_pattern_however_low(model: CandidateModel) -> None:
    said = model.predict(TARGETS)
    for row in range(len(TARGETS)):
        angle, intensity = said.peaks.of(row)
        points = np.searchsorted(XRD.two_theta_deg, angle - 1e-9)
        np.testing.assert_array_equal(intensity, said.further["expected"][row, points])
    assert said.peaks.intensity[said.peaks.valid].min() < 10  # else nothing was shown: these would have been lifted


def test_the_best_pattern_is_that_of_the_most_probable_candidate(model: CandidateModel) -> None:
    said = model.predict(TARGETS)
    (found,) = said.candidates
    patterns = model.maker.patterns(found, XRD)
    for row, rank in enumerate(weighed(found)[1].argmax(axis=1)):
        np.testing.assert_allclose(
            said.further["best"][row], 100 * patterns[row, rank], atol=0.1
        )  # kept in half precision


def test_a_prediction_depends_on_the_composition_alone(model: CandidateModel) -> None:
    together = model.predict([*TARGETS, *STRANGE])
    for row, formula in enumerate([*TARGETS, *STRANGE]):
        alone = model.predict([formula])
        np.testing.assert_allclose(
            alone.further["expected"][0], together.further["expected"][row], rtol=1e-3, atol=0.05
        )


def test_a_compositions_own_structure_makes_no_difference(reference: Reference) -> None:
    own = 17
    made = list(reference.crystals)
    made[own] = replace(made[own], lattice=made[own].lattice * np.array([[1.3], [0.9], [1.7]]))
    makers = [CandidateModel.prepare(reference_of(each)).maker for each in (reference.crystals, made)]
    target = [reference.formulas[own]]
    # what is learned of elements' volumes holds a trace of each structure, so it is taken from the first for both
    one, other = (replace(makers[0], templates=maker.templates).candidates(target) for maker in makers)
    assert one.mask.any()
    np.testing.assert_array_equal(one.cells.mean[one.place[0, 0]], other.cells.mean[other.place[0, 0]])
    np.testing.assert_array_equal(one.features, other.features)


def test_the_same_seed_gives_the_same_numbers_and_files_give_them_back(
    model: CandidateModel, reference: Reference, tmp_path: Path
) -> None:
    before = model.predict(TARGETS)
    save(model, tmp_path / "kept")
    for other in (untrained(reference), load(tmp_path / "kept")):
        after = other.predict(TARGETS)
        assert after.peak_probability is not None
        assert before.peak_probability is not None
        np.testing.assert_array_equal(after.patterns, before.patterns)
        np.testing.assert_array_equal(after.peak_probability, before.peak_probability)
        for one, same in ((after.further, before.further), (after.columns, before.columns)):
            for name, values in one.items():
                np.testing.assert_array_equal(values, same[name])
        for one, same in zip(weighed(after.candidates[0]), weighed(before.candidates[0]), strict=True):
            np.testing.assert_array_equal(one, same)
        assert other.maker.learned([*TARGETS, *STRANGE]).tolist() == [True] * 5 + [False] * 3
    with pytest.raises(CheckpointError, match="holds no candidate model"):
        load(tmp_path / "absent")


def test_the_answers_of_an_ensemble_are_averaged(reference: Reference) -> None:
    pair = untrained(reference, seeds=(1, 2))
    first, second, both = (
        weighed(each.predict(TARGETS).candidates[0])[0]
        for each in (*(replace(pair, nets=(net,)) for net in pair.nets), pair)
    )
    assert not np.allclose(first, second, rtol=1e-3, atol=0)
    np.testing.assert_allclose(both, (first + second) / 2, rtol=1e-6)


@pytest.mark.parametrize("name", ["learned.safetensors", "networks.safetensors", "structures.dxl"])
def test_a_changed_file_is_refused(model: CandidateModel, tmp_path: Path, name: str) -> None:
    save(model, tmp_path / "kept")
    file = tmp_path / "kept" / name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name} does not match the hash"):
        load(tmp_path / "kept")


def test_a_model_of_another_library_is_refused(model: CandidateModel, tmp_path: Path) -> None:
    save(model, tmp_path / "kept")
    save(untrained(reference_of(crystals()[:9])), tmp_path / "other")
    (tmp_path / "other/structures.dxl").rename(tmp_path / "kept/structures.dxl")
    with pytest.raises(CheckpointError, match="does not match the hash"):
        load(tmp_path / "kept")


def test_a_grid_that_does_not_suit_the_networks_is_refused(reference: Reference) -> None:
    odd = XrdSettings(n_points=1001)
    with pytest.raises(ConfigError, match="multiple of 16, not two_theta and 1001"):
        CandidateModel.prepare(Reference(reference.formulas, reference.crystals, reference.patterns[:, :1001], odd))


def test_features_are_as_many_as_said(model: CandidateModel) -> None:
    features = model.maker.candidates(TARGETS).features
    assert features.shape[-1] == N_FEATURES
    assert np.isfinite(features).all()
    shares = features[0, 0, -10:]
    assert shares.sum() == pytest.approx(1.0)
    assert N_BEFORE < N_FEATURES
