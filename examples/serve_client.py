"""Ask a running ``deepxrd serve`` from Python: predict, match, screen. Needs requests alone.

deepxrd serve &
python examples/serve_client.py SrTiO3 BaTiO3
python examples/serve_client.py --scan measured.xy --elements Sr,Ti,O
python examples/serve_client.py --table formulas.csv --out results.csv
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import requests


class Client:
    """The REST API in a few methods; its page ``/docs.html`` tells all."""

    def __init__(self, address: str = "http://127.0.0.1:8000", token: str = "") -> None:
        self.address = address.rstrip("/")
        self.session = requests.Session()
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, **content) -> requests.Response:
        answer = self.session.request(method, f"{self.address}/api/{path}", timeout=300, **content)
        if not answer.ok:
            sys.exit(f"error: {answer.json()['error']}")
        return answer

    def predict(self, *formulas: str, **settings) -> list[dict]:
        """Known phases and candidates; settings: radiation, first_deg, last_deg, width_deg."""
        return self.ask("POST", "predict", json={"formulas": formulas, **settings}).json()["answers"]

    def match(self, scan: Path, **question) -> dict:
        """The phases of a scan; question: elements, formulas, unseen, most_phases, radiation, axis, scan."""
        with scan.open("rb") as stream:
            return self.ask("POST", "match", files={"file": (scan.name, stream)}, data=question).json()

    def screen(self, table: Path) -> bytes:
        """The results of a table of formulas as CSV, once they are there."""
        with table.open("rb") as stream:
            job = self.ask("POST", "jobs", files={"file": (table.name, stream)}).json()
        while job["state"] in ("waiting", "running"):
            time.sleep(0.5)
            job = self.ask("GET", f"jobs/{job['id']}").json()
        if job["state"] != "done":
            sys.exit(f"error: {job['message']}")
        return self.ask("GET", f"jobs/{job['id']}/files/results.csv").content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formulas", nargs="*")
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--elements", default="")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--out", type=Path, default=Path("results.csv"))
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    client = Client(options.address, os.environ.get("DEEPXRD_TOKEN", ""))
    if options.scan:
        found = client.match(options.scan, elements=options.elements, formulas=",".join(options.formulas))
        print(found["verdict"])
        for phase in found["phases"]:
            print(f"{phase['probability']:5.0%}  {phase['label']}")
    elif options.table:
        options.out.write_bytes(client.screen(options.table))
        print(options.out)
    else:
        for answer in client.predict(*options.formulas):
            print(f"{answer['typed']}: {answer['n_known']} known phases")
            for each in answer["candidates"]:
                print(f"{each['probability']:5.0%}  {each['symbol']}  {each['cell']}")


if __name__ == "__main__":
    main()
