from deepxrd.chem import Crystal
from deepxrd.data import other_structures
from deepxrd.sources import ReadFailure, StructureRecord


def test_all_other_structures_are_found_and_never_the_chosen_one(
    nacl: Crystal, cscl: Crystal, wurtzite: Crystal
) -> None:
    records = [
        StructureRecord("salt-1", nacl),
        StructureRecord("zno-1", wurtzite),
        ReadFailure("broken", "no cell"),
        StructureRecord("salt-2", nacl),
        StructureRecord("cscl-1", cscl),
        StructureRecord("salt-3", nacl),
    ]
    found = other_structures(records, [("ZnO", "zno-1"), (nacl.formula.reduced, "salt-2")])
    assert [len(each) for each in found] == [0, 2]
    assert found[1][0] is records[0].crystal  # type: ignore[union-attr]
    assert found[1][1] is records[5].crystal  # type: ignore[union-attr]
