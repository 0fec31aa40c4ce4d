# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 The libbackbone authors

"""The site that scripts/docs built: links lead somewhere, and no page is wider than its window.

Headless Chromium opens the pages in windows of two widths. The pictures of all are in .build/docs/pictures.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / ".build/docs/site"
PICTURES = ROOT / ".build/docs/pictures"
WIDTHS = (380, 1280)
# A page is drawn as far as this, in CSS pixels: what is below is checked, but not in the picture.
TALLEST = 6000

PAGES = sorted(page.relative_to(SITE).as_posix() for page in SITE.rglob("*.html"))
# Doxygen's pages and those of source files are many of a few kinds: some of each are enough.
SOURCES = [page for page in PAGES if (ROOT / page.removeprefix("files/").removesuffix(".html")).is_file()]
SEEN = [page for page in PAGES if not page.startswith("doxygen/") and page not in SOURCES] + [
    *SOURCES[::10],
    *(
        f"doxygen/{name}.html"
        for name in ("index", "backbone_8h", "structbackbone", "classbackbone_1_1Backbone", "structbackbone__options")
    ),
]

WIDER = """
    const wide = [...document.querySelectorAll('body *')].filter(element => {
        const box = element.getBoundingClientRect();
        if (box.right <= innerWidth + 1 || box.width === 0) return false;
        for (let outer = element.parentElement; outer; outer = outer.parentElement) {
            const style = getComputedStyle(outer);
            if (style.overflowX !== 'visible' || style.position === 'fixed') return false;
        }
        return true;
    });
    return [document.documentElement.scrollWidth, innerWidth, document.documentElement.scrollHeight,
            wide.slice(0, 3).map(element => element.outerHTML.slice(0, 200)).join(' ... ')];
"""


class _Reader(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.append(value)
            elif value and (name == "id" or (name == "name" and tag == "a")):
                self.anchors.add(value)


@functools.cache
def contents(page: str) -> _Reader:
    reader = _Reader()
    reader.feed((SITE / page).read_text(encoding="utf-8"))
    return reader


def test_site_is_there():
    assert len(PAGES) > 40, "run scripts/docs first"
    assert {"index.html", "reference/c.html", "doxygen/backbone_8h.html"} <= set(PAGES)


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith("doxygen/")])
def test_links_lead_somewhere(page):
    for link in contents(page).links:
        path, anchor = urldefrag(link)
        if path.startswith(("http:", "https:", "mailto:", "data:")):
            continue
        assert not path.startswith("/"), f"{page}: {link} works on the root of a server alone"
        file = (SITE / page).parent / unquote(path.partition("?")[0]) if path else SITE / page
        assert file.is_file(), f"{page}: {link} is missing"
        if anchor and file.suffix == ".html":
            target = file.resolve().relative_to(SITE).as_posix()
            assert unquote(anchor) in contents(target).anchors, f"{page}: {link} names no heading"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def address():
    """A server of the site."""
    handler = functools.partial(_Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def browser():
    """A headless Chromium."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    # Its sandbox does not start for root, nor in most containers; the pages are our own.
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def look(address: str, pages: list[str]) -> list[str]:
    """Look at pages at both widths; what is wrong with them."""
    import base64

    faults = []
    driver = browser()
    try:
        for page in pages:
            for width in WIDTHS:
                view = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
                driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
                driver.get(f"{address}/{page}")
                content, window, height, elements = driver.execute_script(WIDER)
                if window != width or content > window:
                    faults.append(f"{page} is {content} wide in a window of {window}: {elements}")
                clip = {"x": 0, "y": 0, "width": width, "height": min(height, TALLEST), "scale": 1}
                shot = driver.execute_cdp_cmd(
                    "Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True, "format": "png"}
                )
                picture = PICTURES / f"{width}" / f"{page.removesuffix('.html').replace('/', '.')}.png"
                picture.parent.mkdir(parents=True, exist_ok=True)
                picture.write_bytes(base64.b64decode(shot["data"]))
    finally:
        driver.quit()
    return faults


def test_no_page_is_wider_than_its_window(address):
    shutil.rmtree(PICTURES, ignore_errors=True)
    workers = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        parts = [SEEN[start::workers] for start in range(workers)]
        faults = [fault for part in pool.map(lambda part: look(address, part), parts) for fault in part]
    assert not faults, "\n".join(faults)
    assert len(list(PICTURES.rglob("*.png"))) == len(SEEN) * len(WIDTHS)
