"""The page in headless Chromium, used as a person would: on a narrow and a wide screen, and by the keyboard alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from absence import absent
from deepxrd.serve.examples import example
from live_server import LiveServer

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SLOW_MS = 60_000
expect.set_options(timeout=SLOW_MS)
DROPPED = """() => {
  const transfer = new DataTransfer();
  const rows = Array.from({length: 101}, (_, i) => `${20 + i / 10} ${i === 50 ? 900 : 10 + i % 3}`);
  transfer.items.add(new File([rows.join("\\n")], "dropped.xy"));
  return transfer;
}"""
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; Playwright's own is not to be had everywhere."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        absent("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        # no GPU here: the structure is drawn by software; no sandbox: as root Chromium has none
        arguments = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        running = playwright.chromium.launch(executable_path=found, args=arguments)
        yield running
        running.close()


@pytest.fixture(params=[WIDE, NARROW], ids=["wide", "narrow"])
def page(browser: Browser, server: LiveServer, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, opened; nothing may go wrong in its scripts, and nothing may be asked of another server."""
    wrong: list[str] = []
    opened = browser.new_page(viewport=request.param)
    opened.set_default_timeout(SLOW_MS)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if _is_wrong(said) else None)
    own = (server.address, "data:", "blob:")
    opened.on("request", lambda asked: None if asked.url.startswith(own) else wrong.append(asked.url))
    opened.goto(server.address)
    opened.wait_for_selector("body[data-ready]")
    yield opened
    opened.close()
    assert not wrong


def _is_wrong(said: ConsoleMessage) -> bool:
    """Whether a line of the console tells of a fault; that the server refuses an input is none."""
    return said.type == "error" and "status of 422" not in said.text


def assert_readable(page: Page) -> None:
    """Text has the contrast of WCAG 2.2 AA, and the page is not wider than the screen."""
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_predict(page: Page) -> None:
    expect(page.locator(".answer")).to_contain_text("SrTiO3")  # a first answer, before anything is typed
    page.fill("#formulas", "PbCrO4, KNBO3")
    expect(page.locator("#understood")).to_contain_text("PbCrO4 is read as CrPbO4")
    expect(page.locator("#understood")).to_contain_text("Of the same elements")
    page.click("#understood button:has-text('KNbO3')")
    expect(page.locator("#formulas")).to_have_value("PbCrO4, KNbO3")
    page.click("#predict-form button.main")
    expect(page.locator(".answer")).to_have_count(2)
    assert page.locator("#predict-plot .scatterlayer .trace").count() >= 4
    expect(page.locator("#viewer canvas")).to_have_count(1)
    page.click(".answer >> nth=1 >> button:has-text('Show') >> nth=1")
    expect(page.locator("#structure-title")).to_contain_text("KNbO3")
    assert page.locator("#structure-lines tbody tr").count() > 3
    before = page.locator("#predict-plot .scatterlayer .trace").count()
    page.click("input[aria-label^='Draw candidate 2 of PbCrO4']")
    expect(page.locator("#predict-plot .scatterlayer .trace")).to_have_count(before + 2)
    page.check("#stacked")
    expect(page.locator("#predict-plot .scatterlayer .trace")).to_have_count(before + 2)
    page.evaluate("Plotly.Fx.hover('predict-plot', [{curveNumber: 1, pointNumber: 0}])")
    expect(page.locator("#predict-plot .hoverlayer")).to_contain_text("h k l =")
    expect(page.locator("#predict-plot .hoverlayer")).to_contain_text("d =")
    with page.expect_download() as saved:
        page.click("#structure-cif")
    assert "_cell_length_a" in Path(saved.value.path()).read_text()
    with page.expect_download() as saved:
        page.click("#predict-csv")
    assert Path(saved.value.path()).read_text().startswith("two_theta_deg,")
    with page.expect_download() as saved:
        page.click("#predict-png")
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")
    assert_readable(page)


def test_a_flat_pattern_is_explained_beside_its_structure(page: Page) -> None:
    page.fill("#formulas", "SrTiO3")
    page.fill("#first", "5")
    page.fill("#last", "6")
    page.click("#predict-form button.main")
    expect(page.locator(".answer table >> nth=0")).to_contain_text("no pattern: no reflection within the range")
    expect(page.locator(".answer table >> nth=1")).to_contain_text("no pattern: no reflection within the range")


def test_candidates_whose_elements_share_sites_are_marked(page: Page) -> None:
    page.fill("#formulas", "Ba0.5Sr0.5TiO3")
    page.click("#predict-form button.main")
    expect(page.locator(".answer table >> nth=-1 >> tbody tr >> nth=0")).to_contain_text("elements share sites")


def test_an_error_is_said_where_it_is_made(page: Page) -> None:
    expect(page.locator(".answer")).to_contain_text("SrTiO3")
    page.fill("#formulas", "<img src=x onerror=alert(1)>")
    page.click("#predict-form button.main")
    expect(page.locator("#predict-status")).to_contain_text("<img")
    expect(page.locator("#predict-result")).to_be_hidden()  # the earlier answer is of another formula
    assert page.locator("#predict img").count() == 0
    assert_readable(page)
    page.evaluate("window.harmless = true")  # the page is still the same one


def test_match(page: Page, tmp_path: Path) -> None:
    page.click("nav a:has-text('Match')")
    page.click("#scan-examples button >> nth=1")
    expect(page.locator("#scan-text")).to_contain_text("PANalytical XRDML")
    expect(page.locator("#element-names")).to_have_value("Si, O, Al, Na, K")
    page.fill("#element-names", "NaCl, Qq")
    expect(page.locator("#elements-chosen")).to_have_text("chosen: Na, Cl; Qq: no such element")
    page.fill("#element-names", "KSiO2")
    page.click("#elements button[data-symbol=K]")
    expect(page.locator("#elements-chosen")).to_have_text("chosen: Si, O")
    page.click("#match-form button.main")
    expect(page.locator("#phases")).to_contain_text("SiO2")
    expect(page.locator("#phases")).to_contain_text("P3121 (152)")
    assert page.locator("#match-plot .scatterlayer .trace").count() >= 5
    page.check("#match-log")
    expect(page.locator("#match-plot .scatterlayer .trace").first).to_be_visible()
    assert_readable(page)
    with page.expect_download() as saved:
        page.click("#match-html")
    assert "SiO2" in Path(saved.value.path()).read_text()
    # a file under a name that is markup
    hostile = tmp_path / "<b onmouseover=alert(1)>.xrdml"
    hostile.write_bytes(example("rock")[0].read_bytes())
    page.set_input_files("#scan-file", hostile)
    expect(page.locator("#scan-text")).to_contain_text("<b onmouseover=alert(1)>.xrdml")
    assert page.locator("#match b").count() == 0
    # a file that is dropped
    dropped = page.evaluate_handle(DROPPED)
    page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    expect(page.locator("#scan-text")).to_contain_text("dropped.xy")
    expect(page.locator("#scan-text")).to_contain_text("101 points")


def test_screen(page: Page, tmp_path: Path) -> None:
    page.click("nav a:has-text('Screen')")
    table = tmp_path / f"mine-{page.viewport_size['width']}.csv"
    table.write_text("formula\nSrTiO3\nBaZrO3\nMgO\nXx\n")
    page.set_input_files("#table-file", table)
    page.click("#screen-form button.main")
    row = page.locator("#jobs tr", has_text=table.name)
    expect(row).to_contain_text("done", timeout=SLOW_MS)
    expect(row).to_contain_text("1 skipped")
    row.get_by_role("button", name="Show").click()
    expect(page.locator("#rows-table tbody tr")).to_have_count(3)
    page.click("[data-sort=density_g_per_cm3]")
    expect(page.locator("#rows-table tbody tr >> nth=0")).to_contain_text("BaZrO3")
    page.fill("#contains", "mgo")
    page.click("#rows-form button")
    expect(page.locator("#rows-table tbody tr")).to_have_count(1)
    assert_readable(page)
    page.check("#all-columns")
    expect(page.locator("[data-sort=space_group_5]")).to_have_count(1)
    with page.expect_download() as saved:
        page.click("#rows-csv")
    assert "BaZrO3" in Path(saved.value.path()).read_text()
    page.on("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)


def test_the_keyboard_is_enough(page: Page) -> None:
    def tab_to(selector: str) -> None:
        for _ in range(200):
            page.keyboard.press("Tab")
            if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
                assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
                return
        raise AssertionError(selector)

    tab_to("#formulas")
    page.keyboard.press("Control+A")
    page.keyboard.type("MgO")
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_contain_text("MgO")
    tab_to("input[aria-label^='Draw candidate 1']")
    page.keyboard.press("Space")
    expect(page.locator("input[aria-label^='Draw candidate 1']")).not_to_be_checked()
    tab_to("button[aria-label^='Show candidate 1']")
    page.keyboard.press("Enter")
    expect(page.locator("#structure-title")).to_contain_text("candidate 1")
    page.keyboard.press("Home")
    page.evaluate("document.activeElement.blur()")
    tab_to("nav a[href='#match']")
    page.keyboard.press("Enter")
    tab_to("#scan-examples button")
    page.keyboard.press("Enter")
    expect(page.locator("#scan-text")).to_contain_text("Rigaku")
    tab_to("#elements button")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight", "Space"):
        page.keyboard.press(key)  # from H down to Cs, and to the right
    expect(page.locator("#elements-chosen")).to_contain_text("Ba")
    tab_to("#match-form button.main")
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).not_to_be_empty(timeout=SLOW_MS)
    assert page.evaluate("document.querySelector('#match-result').hidden") is False


def test_the_documentation_of_the_api_is_drawn(page: Page, server: LiveServer) -> None:
    described = server.client.get("/api/openapi.json").json()["paths"]
    page.goto(f"{server.address}/docs.html")
    expect(page.locator(".opblock")).to_have_count(sum(len(methods) for methods in described.values()))
