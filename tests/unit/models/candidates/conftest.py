import pytest

from deepxrd.models.baselines import Reference
from deepxrd.models.candidates import CandidateModel
from made_candidates import crystals, reference_of, untrained


@pytest.fixture(scope="session")
def reference() -> Reference:
    return reference_of(crystals())


@pytest.fixture(scope="session")
def model(reference: Reference) -> CandidateModel:
    return untrained(reference)
