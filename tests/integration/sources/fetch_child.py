"""Fetches in a process of its own, so that a test can kill it: fetch_child.py ENDPOINT FOLDER PAGE_SIZE."""

from __future__ import annotations

import sys

from deepxrd.sources.materials_project import MaterialsProjectSource

if __name__ == "__main__":
    endpoint, folder, page_size = sys.argv[1:]
    made = MaterialsProjectSource(
        cache_dir=folder, endpoint=endpoint, page_size=int(page_size), timeout_s=5, backoff_s=0.01, backoff_cap_s=0.05
    )
    sys.stdout.write(f"{len(made)}\n")
