"""Operates the pages of a report in a real browser: by keyboard, by touch, on a narrow screen, in print, and with axe.

    browser.py CHROMIUM FOLDER

FOLDER holds a report, and beside it FOLDER/units.html, whose table mixes units. Prints what is wrong, a line each, and
exits with 1 if anything is.
"""

import pathlib
import subprocess
import sys
import tempfile

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

CHROMIUM, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 375, "height": 667}
SUMMARY_PX_MIN, FLAGS_PX_MIN, ROW_HEAD_PX_MIN = 24, 110, 70
# What printers leave of A4.
PAPER = {"width": 718, "height": 1047}
wrong = []


def expect(holds, words):
    if not holds:
        wrong.append(words)


def pages():
    """The page of the report, of its claims, of a test with results, and of one without."""
    tests = sorted(FOLDER.glob("tests/*.html"), key=lambda path: (-path.stat().st_size, path.name))
    return [FOLDER / "index.html", FOLDER / "claims.html", tests[0], tests[-1]]


def focused(page):
    """What has the focus: its kind, its text, the number of its table."""
    return page.evaluate(
        """() => {
            const at = document.activeElement;
            if (!at || at === document.body) return null;
            const tables = [...document.querySelectorAll("table")];
            const holder = at.closest("table") ?? at.querySelector(":scope > table");
            const box = at.getBoundingClientRect();
            return {
                tag: at.tagName, text: at.textContent.trim().slice(0, 40), table: tables.indexOf(holder),
                seen: box.bottom > 0 && box.right > 0 && box.width > 0, skip: at.classList.contains("skip"),
            };
        }"""
    )


def keyboard(page, name):
    page.keyboard.press("Tab")
    first = focused(page)
    expect(first and first["skip"] and first["seen"], f"{name}: the first stop is no visible link that skips: {first}")
    page.keyboard.press("Enter")
    inside = page.evaluate("location.hash === '#main' && document.querySelector('#main').getBoundingClientRect().top < innerHeight")
    expect(inside, f"{name}: the link that skips does not lead to the content")
    page.keyboard.press("Tab")
    first_inside = page.evaluate("document.querySelector('main').contains(document.activeElement)")
    has_stop = page.evaluate("document.querySelector('main a[href], main button, main summary, main [tabindex=\"0\"]') !== null")
    expect(first_inside or not has_stop, f"{name}: after skipping, the next stop is not in the content")

    page.goto(page.url.split("#")[0])
    for link in page.locator(".skip").all():
        box = link.bounding_box()
        expect(box and box["width"] <= 1, f"{name}: a link that skips is shown without the focus: {box}")
    stops = {}
    count = 0
    for count in range(1, 1000):
        page.keyboard.press("Tab")
        at = focused(page)
        if at is None:
            break
        expect(at["seen"], f"{name}: the focus is on something that is not shown: {at}")
        if at["table"] >= 0:
            stops.setdefault(at["table"], []).append(at["text"])
    for table, texts in stops.items():
        expect(len(texts) == 1, f"{name}: table {table} has {len(texts)} stops: {texts[:4]}")
    tables = page.locator("table").count()
    expect(count < 200, f"{name}: {count} stops")
    return tables, len(stops)


def arrows(page, name):
    """Inside a table that sorts, arrows lead from the heads to the links of its rows and back."""
    head = page.locator("table.sortable thead button").first
    head.focus()
    seen = [focused(page)["text"]]
    for key in ["ArrowRight", "ArrowDown", "ArrowDown", "End", "Home"]:
        page.keyboard.press(key)
        seen.append(focused(page)["text"])
    expect(len(set(seen)) >= 3 and seen[-1] in seen[:2], f"{name}: arrows lead nowhere: {seen}")
    head.focus()
    page.keyboard.press("Enter")
    sort = head.locator("xpath=..").get_attribute("aria-sort")
    expect(sort == "ascending", f"{name}: Enter on a head does not sort: {sort}")


def sorting(page):
    page.goto((FOLDER / "units.html").as_uri())
    cells = lambda: page.locator("tbody tr td").all_text_contents()
    button = page.locator("thead button").nth(1)
    button.click()
    expected = ["−1 ns", "0.5 µs ± 0.1", "900 ns", "1.5 µs", "2 ms", "0.01 s", "1,000 s", "none"]
    expect(cells() == expected, f"ascending: {cells()}")
    button.click()
    expect(cells() == expected[::-1], f"descending: {cells()}")


def narrow(page, name):
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    expect(wide[0] <= wide[1], f"{name}: {wide[0]} px wide on a screen of {wide[1]}")
    for summary in page.locator("summary").all():
        box = summary.bounding_box()
        expect(box and box["height"] >= SUMMARY_PX_MIN, f"{name}: a summary is {box and box['height']} px high")
    for button in page.locator("th button").all():
        box = button.bounding_box()
        expect(box and box["height"] >= SUMMARY_PX_MIN, f"{name}: a button is {box and box['height']} px high")
    for cell in page.locator("td.flags").all():
        found = cell.evaluate(
            "cell => ({width: cell.clientWidth, cut: cell.scrollWidth > cell.clientWidth, text: cell.textContent.trim(),"
            " size: parseFloat(getComputedStyle(cell).fontSize)})"
        )
        readable = found["width"] >= FLAGS_PX_MIN and not found["cut"] and found["size"] >= 12
        expect(readable or not found["text"], f"{name}: flags cannot be read: {found}")


def touch(page, name):
    marks = page.locator("svg a .mark, svg a .bar")
    expect(marks.count() > 0, f"{name}: no mark is a link")
    mark = marks.first
    told = mark.evaluate("mark => mark.querySelector('title')?.textContent ?? mark.closest('a').querySelector('title')?.textContent")
    mark.scroll_into_view_if_needed()
    before = page.url
    mark.tap()
    tip = page.locator(".tip")
    expect(tip.count() == 1 and told and told in tip.text_content(), f"{name}: a touch shows nothing of {told!r}")
    expect(page.url == before, f"{name}: the first touch leaves the page")
    box = tip.bounding_box()
    expect(box and box["x"] >= 0 and box["x"] + box["width"] <= NARROW["width"], f"{name}: the tip is cut off: {box}")
    page.keyboard.press("Escape")
    expect(tip.count() == 0, f"{name}: Escape does not close the tip")
    mark.tap()
    link = page.locator(".tip a")
    link.tap()
    page.wait_for_url("**/tests/*.html")
    page.go_back()
    cell = page.locator("td[title]").first
    if cell.count():
        cell.scroll_into_view_if_needed()
        box = cell.bounding_box()
        page.touchscreen.tap(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
        expect(tip.count() == 1, f"{name}: a touch on a cell with more to say shows nothing")


def printed(page, name):
    others = page.locator("details.published").count()
    expect(others > 0, f"{name}: no published values to look for")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "page.pdf"
        page.pdf(path=str(path), format="A4")
        text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, text=True, check=True).stdout
    values = page.locator("details.published tbody td.number").all_text_contents()
    missing = [value for value in values if value.strip() and " ".join(value.split()) not in " ".join(text.split())]
    expect(values and not missing, f"{name}: published values are not in print: {missing[:5]} of {len(values)}")
    expect("Skip to the content" not in text, f"{name}: the link that skips is in print")
    page.set_viewport_size(PAPER)
    page.emulate_media(media="print")
    beside(page, f"{name} on paper")
    for table in page.locator("table.beside").all():
        out = table.evaluate("table => table.getBoundingClientRect().right - table.closest('figure').getBoundingClientRect().right")
        expect(out <= 1, f"{name} on paper: a table of published values sticks out by {out} px")
    page.emulate_media(media="screen")
    page.set_viewport_size(WIDE)


def beside(page, name):
    """Published values beside ours, in a figure that shares its line with another: no row's head is broken letter by letter."""
    page.evaluate("document.querySelectorAll('details.published').forEach(details => details.open = true)")
    page.add_style_tag(content="figure:has(.beside){width:342px}")
    page.locator("table.beside tbody td.number:nth-of-type(2)").evaluate_all(
        "cells => cells.forEach(cell => { cell.textContent = '1234.5 (1160.1 to 1345.0) kpps'; })"
    )
    for width in page.locator("table.beside tbody th").evaluate_all("heads => heads.map(head => head.getBoundingClientRect().width)"):
        expect(width >= ROW_HEAD_PX_MIN, f"{name}: the head of a row of published values is {width} px wide")


def checked_by_axe(page, name):
    # Without elements of more than a screen, which axe would have scrolled to.
    found = Axe().run(page).response["violations"]
    for violation in found:
        first = violation["nodes"][0]
        wrong.append(f"{name}: axe: {violation['id']}: {violation['help']}: {first['html'][:160]} ({len(violation['nodes'])})")


def main():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        for scheme in ["light", "dark"]:
            context = browser.new_context(viewport=WIDE, color_scheme=scheme)
            page = context.new_page()
            page.on("pageerror", lambda error: wrong.append(f"a script failed: {error}"))
            for path in pages():
                page.goto(path.as_uri())
                checked_by_axe(page, f"{path.name} ({scheme})")
            context.close()
        page = browser.new_page(viewport=WIDE)
        stops = 0
        for path in pages():
            page.goto(path.as_uri())
            tables, found = keyboard(page, path.name)
            stops += found
            print(f"{path.name[:12]}: {tables} tables, {found} with a stop")
        expect(stops > 0, "no table has a stop")
        page.goto(pages()[0].as_uri())
        arrows(page, "index.html")
        sorting(page)
        page.goto(pages()[0].as_uri())
        printed(page, "index.html")
        page.close()
        context = browser.new_context(viewport=NARROW, has_touch=True, is_mobile=True)
        page = context.new_page()
        for path in pages():
            page.goto(path.as_uri())
            narrow(page, path.name)
            beside(page, f"{path.name} on a narrow screen")
        page.goto(pages()[0].as_uri())
        touch(page, "index.html")
        browser.close()
    for line in wrong:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


sys.exit(main())
