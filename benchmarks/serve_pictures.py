"""Pictures of the page for docs/page.md, taken in headless Chromium of a running ``deepxrd serve``.

deepxrd serve --no-browser &
python benchmarks/serve_pictures.py --out docs/figures
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

WAIT_MS = 90_000


def main() -> None:
    """Take three pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    options = parser.parse_args()
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 960})
        page.goto(options.address)
        page.wait_for_selector("body[data-ready]")
        predict(page)
        save(page, options.out / "serve-predict.png")
        match(page)
        save(page, options.out / "serve-match.png")
        screen(page)
        save(page, options.out / "serve-screen.png")
        browser.close()


def save(page: Page, path: Path) -> None:
    """What is seen, with 128 colours, which are enough and make a small file."""
    seen = Image.open(io.BytesIO(page.screenshot()))
    seen.convert("RGB").quantize(128).save(path, optimize=True)


def predict(page: Page) -> None:
    """Two formulas, and a structure in three dimensions."""
    page.fill("#formulas", "BaTiO3, PbTiO3")
    expect(page.locator("#understood")).to_contain_text("PbTiO3 is read as")
    page.click("#predict-form button.main")
    expect(page.locator(".answer")).to_have_count(2)
    page.check("#stacked")
    expect(page.locator("#viewer canvas")).to_have_count(1)
    page.wait_for_timeout(2000)
    page.set_viewport_size({"width": 1280, "height": 1450})
    page.wait_for_timeout(500)


def match(page: Page) -> None:
    """The second example."""
    page.click("nav a:has-text('Match')")
    page.click("#scan-examples button >> nth=1")
    expect(page.locator("#scan-text")).to_contain_text("PANalytical")
    page.click("#match-form button.main")
    expect(page.locator("#phases")).to_contain_text("SiO2")
    page.click("#scan-understood summary")
    page.set_viewport_size({"width": 1280, "height": 1600})
    page.wait_for_timeout(1000)
    page.evaluate("window.scrollTo(0, document.querySelector('#match-form').offsetTop - 20)")
    page.wait_for_timeout(500)


def screen(page: Page) -> None:
    """A small table, sorted."""
    page.click("nav a:has-text('Screen')")
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "perovskites.csv"
        table.write_text("formula\n" + "\n".join(f"{a}{b}O3" for a in ("Ca", "Sr", "Ba", "Pb") for b in ("Ti", "Zr")))
        page.set_input_files("#table-file", table)
        page.click("#screen-form button.main")
        row = page.locator("#jobs tr", has_text="perovskites.csv").first
        expect(row).to_contain_text("done")
    row.get_by_role("button", name="Show").click()
    expect(page.locator("#rows-table tbody tr")).to_have_count(8)
    page.set_viewport_size({"width": 1280, "height": 1000})
    page.click("[data-sort=density_g_per_cm3]")
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main()
