"""The live page in a real Chromium."""

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sql.tape import Tape
from tests.api import chromium
from tests.api.conftest import DAY, put, trades

pytestmark = pytest.mark.system

AWAY = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_CONNECTION_CLOSED", "ERR_EMPTY_RESPONSE")
LINK = "document.querySelector('#link').textContent"


@pytest.fixture
def page() -> Iterator[chromium.Page]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, chromium.page(Path(profile)) as page:
        yield page


def test_the_page_moves_says_when_it_is_cut_off_and_comes_back(page, tape: Tape, gateway_beside):
    running = gateway_beside()
    with running as address:
        page.open(f"{address}/")
        page.until(f"{LINK} === 'Live' && document.querySelectorAll('#trades tr').length === 15")
        assert page.value("document.querySelectorAll('#tiers li').length") == 3
        put(tape.hot, trades([(0, "MOVES1", 1)], DAY + dt.timedelta(days=400)))
        page.until("document.querySelector('#trades td.symbol').textContent === 'MOVES1'")
        page.until("/[1-9]/.test(document.querySelector('#peak').textContent)")

        assert running.stop() == 0
        page.until(f"{LINK}.startsWith('Disconnected')")
        assert page.value("document.querySelector('#main').classList.contains('stale')")

        running.start()
        page.until(f"{LINK} === 'Live'", seconds=30)
        assert page.hosts() == {address}
        assert [text for text in page.complaints() if not any(away in text for away in AWAY)] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_text_can_be_read_and_nothing_sticks_out(page, url, width, scheme):
    page.open(f"{url}/", width=width, scheme=scheme)
    page.until(f"{LINK} === 'Live' && document.querySelectorAll('#trades tr').length")

    assert page.value("document.documentElement.scrollWidth") <= width
    assert page.value(CONTRASTS) == []


def test_a_key_is_asked_for_and_kept_for_this_tab(page, gateway_beside):
    with gateway_beside(TRADINGSYSTEM_ACCESS="required", TRADINGSYSTEM_API_KEY="the-admin-key") as address:
        page.open(f"{address}/")
        page.until(f"{LINK} === 'Waiting for a key' && !document.querySelector('#door').hidden")
        page.value(
            "document.querySelector('#key').value = 'the-admin-key'; document.querySelector('#door').requestSubmit()"
        )
        page.until(f"{LINK} === 'Live' && document.querySelector('#door').hidden")


def test_the_documentation_is_drawn_from_our_own_files(page, url):
    page.open(f"{url}/docs")
    page.until("document.querySelectorAll('.opblock').length >= 6", seconds=40)

    assert page.hosts() <= {url, "data:"} | {host for host in page.hosts() if host.startswith("data:")}
    assert page.complaints() == []


# Ratio of luminances of every text and what is painted behind it (WCAG 2: at least 4.5, large text 3).
CONTRASTS = """(() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const [one, two] = [light(rgb(style.color)), light(behind(node))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) bad.push([node.textContent.trim().slice(0, 40), ratio]);
  }
  return bad;
})()"""
