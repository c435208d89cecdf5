"""The playground in a real browser: by mouse, by keyboard alone, in dark, and on a phone."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import unquote

import pytest

pytest.importorskip("starlette")
pytest.importorskip("selenium")

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

BROWSER = next((p for p in ("/usr/bin/chromium", "/usr/bin/google-chrome") if Path(p).exists()), "")
DRIVER = shutil.which("chromedriver") or ""
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="needs chromium and chromedriver (Debian: apt install chromium chromium-driver)",
)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
FOLLOWED = re.compile(
    r"^The goal changed: search now chooses (\S+); the network is not told the goal: "
    r"it answers (\S+) whatever is wanted\."
)


@pytest.fixture(scope="module")
def address():
    """A playground as `deliberate serve` starts it, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked = [sys.executable, "-m", "deliberation.cli", "serve", "--no-open", "--port", str(port)]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as server:
        try:
            found = f"http://127.0.0.1:{port}/"
            assert server.stdout is not None and found in server.stdout.readline()
            _wait_until_ready(found)
            yield found
        finally:
            server.terminate()


def _wait_until_ready(address, seconds=240):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}api/hello", timeout=30) as answer:
                if not json.load(answer)["notes"]:
                    return
        except OSError:
            pass
        time.sleep(0.3)
    raise TimeoutError(f"{address} was not ready after {seconds} s")


@pytest.fixture(scope="module")
def browser():
    options = Options()
    options.binary_location = BROWSER
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield made
    made.quit()


@pytest.fixture
def page(browser, address):
    """A window of 1300 x 900 in light, and nothing in it that is forbidden or failed."""
    show(browser, 1300, 900, "light")
    browser.get_log("browser")
    browser.get("about:blank")
    yield browser
    severe = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert not [message for message in severe if "status of 400" not in message]


def show(browser, width, height, scheme):
    sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
    wanted = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)


def at(browser, query):
    return browser.find_element(By.CSS_SELECTOR, query)


def text(browser, query):
    return at(browser, query).get_attribute("textContent")


def until(browser, told, seconds=40):
    return WebDriverWait(browser, seconds, 0.05).until(lambda _: told())


def answered(browser):
    """Until search and the network have both answered: what they say."""
    until(browser, lambda: "simulations" in text(browser, "[data-note=search]"))
    until(browser, lambda: "network" in text(browser, "[data-note=habit]"))
    return tuple(text(browser, f"[data-says={name}]") for name in ("search", "habit"))


def test_from_a_fresh_page_to_search_followed_and_the_network_did_not(page, address):
    began = time.monotonic()
    page.get(address)
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".toggle"))
    before = answered(page)
    at(page, ".toggle").click()
    said = until(page, lambda: FOLLOWED.match(text(page, "#headline")))
    assert time.monotonic() - began < 60
    search, habit = answered(page)
    assert said.groups() == (search, habit), "the sentence is what the answers are"
    assert search != before[0] and habit == before[1]
    at(page, "#usual").click()
    until(page, lambda: text(page, "#headline").startswith("At once"))
    assert answered(page) == before


def test_a_click_plays_and_the_link_holds_the_position(page, address):
    page.get(f"{address}#/board?task=tic_tac_toe&effort=64")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "[data-cell='1,1']"))
    at(page, "[data-cell='1,1']").click()
    until(page, lambda: "moves=b2" in page.current_url)
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".stone.x"))
    until(page, lambda: "value" in text(page, "[data-note=exact]"))
    link = page.current_url
    page.get("about:blank")
    page.get(link)
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, ".stone.x")) == 1)
    at(page, "#undo").click()
    until(page, lambda: not page.find_elements(By.CSS_SELECTOR, ".stone.x"))
    moves = at(page, "#moves")
    moves.send_keys("a1 a1", Keys.ENTER)
    until(page, lambda: "no legal move" in text(page, ".refused"))


def test_by_keyboard_alone(page, address):
    page.get(address)
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".action"))
    answered(page)
    press(page, "3")
    until(page, lambda: "Second player" in text(page, ".status"))
    press(page, "u")
    until(page, lambda: "First player" in text(page, ".status"))
    reach(page, "board")
    ring = page.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid", "where one is can be seen"
    press(page, Keys.ARROW_RIGHT)
    assert text(page, "#announce") == "1", "what the cursor is on is told"
    press(page, Keys.ENTER)
    until(page, lambda: "moves=1" in page.current_url)
    until(page, lambda: "Second player" in text(page, "#announce"))
    reach(page, "knob-misere")
    press(page, Keys.SPACE)
    until(page, lambda: text(page, "#headline").startswith("The goal changed"))
    reach(page, "effort")
    press(page, Keys.HOME)
    until(page, lambda: "habit" in text(page, ".effort"))
    until(page, lambda: text(page, "[data-note=search]").startswith("no simulations"))
    press(page, Keys.END)
    until(page, lambda: text(page, ".effort").startswith("exact"))


def test_a_digit_plays_what_it_names_or_says_that_it_cannot(page, address):
    page.get(f"{address}#/board?moves=3+3+3+3+3+3&effort=1")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".action"))
    press(page, "3")
    until(page, lambda: text(page, ".refused") == "3 is not legal here.")
    assert "moves=3+3+3+3+3+3&" in page.current_url
    page.get(f"{address}#/board?task=tic_tac_toe&moves=b2&effort=1")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "[aria-label='Play a2']"))
    press(page, "5")
    until(page, lambda: "5 stands for b2" in text(page, ".refused"))
    press(page, "4")
    until(page, lambda: "moves=b2+a2" in page.current_url)


def test_undo_and_redo_in_haste_walk_the_line_that_was_played(page, address):
    page.get(f"{address}#/board?effort=1")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".action"))
    for keys, line in (
        ("324", "3 2 4"),
        ("uu", "3"),
        ("rr", "3 2 4"),
        ("u5", "3 2 5"),
        ("r", "3 2 5"),
    ):
        page.switch_to.active_element.send_keys(keys)
        until(page, lambda line=line: at(page, "#moves").get_attribute("value") == line)
    assert page.current_url.endswith("moves=3+2+5")


def test_the_goal_is_moved_by_flags_and_back_by_mouse_and_by_keys(page, address):
    page.get(f"{address}#/board?task=gridworld_goals&effort=1")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "svg .flag"))
    flags = page.find_elements(By.CSS_SELECTOR, "svg .flag")
    goal = next(i for i, f in enumerate(flags) if f.get_attribute("class") == "flag")
    other = (goal + 1) % len(flags)
    cells = ("0,0", "0,3", "0,6", "3,0", "3,6", "6,0", "6,3", "6,6")

    def click(which):
        at(page, f"[data-cell='{cells[which]}']").click()

    click(goal)
    until(page, lambda: "there already" in text(page, ".refused"))
    assert "goal=" not in page.current_url
    click(other)
    until(page, lambda: f"exit_{other}:1" in unquote(page.current_url))
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".flag.wanted"))
    assert len(page.find_elements(By.CSS_SELECTOR, ".flag.dim")) == len(flags) - 1
    assert "which is worth 0.00 now" in text(page, ".legend-flags")
    assert "exit that was the goal" in at(page, "svg.board").get_attribute("aria-label")
    click(goal)
    until(page, lambda: "goal=" not in page.current_url)
    until(page, lambda: not page.find_elements(By.CSS_SELECTOR, ".flag.wanted"))
    page.execute_script("document.getElementById('board').focus()")
    page.switch_to.active_element.send_keys("w", Keys.ARROW_UP, Keys.ENTER)
    until(page, lambda: "walls=" in page.current_url)
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".cell.wall"))
    assert "moves" not in page.current_url, "a cell beside one is a wall, not a step"


def test_a_played_action_keeps_the_focus(page, address):
    page.get(f"{address}#/board?effort=1")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".action"))
    at(page, "[data-play='2']").send_keys("")
    for moves in ("2", "2 2"):
        press(page, Keys.ENTER)
        until(page, lambda moves=moves: at(page, "#moves").get_attribute("value") == moves)
    assert page.switch_to.active_element.get_attribute("data-play") == "2"
    page.get(f"{address}#/board?task=tic_tac_toe&effort=1")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "[aria-label='Play a2']"))
    at(page, "[data-play='2']").send_keys("")
    press(page, Keys.ENTER)
    until(page, lambda: "moves=c3" in page.current_url)
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".stone.x"))
    assert page.switch_to.active_element.get_attribute("data-play") == "3", "the next one has it"


def press(browser, key):
    browser.switch_to.active_element.send_keys(key)


def reach(browser, name, most=60):
    """Tab until one is there."""
    for _ in range(most):
        if browser.switch_to.active_element.get_attribute("id") == name:
            return
        press(browser, Keys.TAB)
    raise AssertionError(f"{name} is not reached by Tab")


def test_everything_that_is_used_has_a_name(page, address):
    page.get(address)
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".action"))
    nameless = page.execute_script("""
      return [...document.querySelectorAll("button, input, select, a, [role=img], [tabindex='0']")]
        .filter((e) => !(e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim()))
        .map((e) => e.outerHTML.slice(0, 200));""")
    assert nameless == []
    assert "Row 1" in at(page, "svg.board").get_attribute("aria-label")
    assert page.find_elements(By.CSS_SELECTOR, "[aria-live=polite]")


@pytest.mark.parametrize("where", ["board", "board?task=gridworld_goals", "match", "runs"])
def test_on_a_phone_and_in_dark(page, address, where):
    show(page, 360, 740, "dark")
    page.get(f"{address}#/{where}")
    until(page, lambda: at(page, "main").text.strip())
    if where.startswith("board"):
        until(page, lambda: page.find_elements(By.CSS_SELECTOR, "svg.board"))
    wide = page.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{wide} pixels have to be scrolled to at the side"
    ground, ink = (
        page.execute_script(f"return getComputedStyle(document.body).{name}")
        for name in ("backgroundColor", "color")
    )
    assert max(map(int, re.findall(r"\d+", ground)[:3])) < 60
    assert min(map(int, re.findall(r"\d+", ink)[:3])) > 180
