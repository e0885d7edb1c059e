import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, numpy as np
from deepxrd.io.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
block = lambda: np.full(5_000_000, 1.0)
block()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    block()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told")
def test_freed_blocks_are_used_again_without_new_pages() -> None:
    faults = {
        way: int(subprocess.run([sys.executable, "-c", FAULTS, way], capture_output=True, text=True, check=True).stdout)
        for way in ("keep", "give back")
    }
    assert faults["keep"] < faults["give back"] / 10
