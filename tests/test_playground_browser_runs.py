"""The playground's runs and matches in a real browser, by mouse and by keyboard."""

import itertools
import shutil
import socket
import threading
import time

import pytest

pytest.importorskip("starlette")
pytest.importorskip("selenium")

import uvicorn
from made import record
from playground_runs import CLAIM, make_audit, make_table, make_zoo
from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from deliberation.playground.app import make_app
from deliberation.playground.settings import Settings
from deliberation.runs import Cell, RecordFile

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if BROWSER is None or DRIVER is None:
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
PATIENCE = 25


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    make_table(root / "one")
    make_table(root / "two", gain=0.02, seed=1)
    make_zoo(root / "zoo")
    make_audit(root / "audit")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(
        make_app(Settings(port=port, runs=root)), port=port, log_level="error",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/", root
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def address(served):
    return served[0]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = Options()
    options.binary_location = BROWSER
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(DRIVER))
    made.set_page_load_timeout(PATIENCE)
    yield made
    made.quit()


def wait(browser, found):
    # A live page draws its parts anew: one that went between two looks is looked for again.
    gone = [NoSuchElementException, StaleElementReferenceException]
    return WebDriverWait(browser, PATIENCE, 0.1, gone).until(lambda b: found(b))


def one(browser, selector):
    return wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, selector))[0]


def press(browser, selector, number=0):
    def pressed(b):
        b.find_elements(By.CSS_SELECTOR, selector)[number].click()
        return True

    one(browser, selector)
    wait(browser, pressed)


def says(browser, selector):
    return wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, selector).text)


def troubles(browser):
    return [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"]


def test_a_point_leads_to_the_record_and_the_board_by_keyboard_alone(browser, address):
    browser.get(f"{address}#/runs")
    one(browser, "a[data-run=one]").send_keys(Keys.ENTER)
    one(browser, f"details[data-name={CLAIM}] summary").send_keys(Keys.ENTER)
    first = one(browser, f"details[data-name={CLAIM}] a.dot")
    assert "simulations a decision 1:" in first.get_attribute("aria-label")
    browser.execute_script("arguments[0].focus()", first)
    first.send_keys(Keys.ARROW_RIGHT)
    second = browser.switch_to.active_element
    assert "simulations a decision 4:" in second.get_attribute("aria-label")
    second.send_keys(Keys.ENTER)
    told = says(browser, ".pointed h1")
    assert told.startswith("search, simulations a decision 4")
    assert "rests on one record" in says(browser, ".pointed .head .quiet")
    board = one(browser, ".position svg.board")
    assert "chose a3; best is b2" in board.get_attribute("aria-label")
    assert says(browser, ".position .lost") == "gives up 1 of return"
    assert one(browser, ".dot.current").get_attribute("aria-current") == "true"
    assert not troubles(browser)


def test_a_run_that_goes_on_is_seen_to(browser, served):
    address, root = served

    def said(b):
        found = b.find_elements(By.CSS_SELECTOR, "a[data-run=live] .words")
        return found[0].text if found else ""

    browser.get("about:blank")
    browser.get(f"{address}#/runs")
    one(browser, ".shelf a")
    with RecordFile(root / "live", {"tasks": [], "effort": "smoke"}) as file:
        for x in range(2):
            file.append(record(Cell("x:y", {"x": x})))
            wait(browser, lambda b, n=x + 1: said(b) == f"running, {n} cell{'' if n == 1 else 's'}")
    wait(browser, lambda b: said(b) == "2 cells; how many it was to have is not known")
    press(browser, "a[data-run=live]")
    assert len(wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, ".records a"))) == 2


def test_every_view_fits_on_a_phone_and_names_what_can_be_used(browser, address):
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for view, there in (
            ("#/runs", ".shelf a"), ("#/runs?run=one", ".claim"), ("#/runs?run=zoo", "a.dot"),
            ("#/runs?run=audit", ".claim"), ("#/runs?run=one&with=two", ".compared"),
            ("#/runs?run=audit&record=effort", ".position .seen-table"),
            ("#/match?task=tic_tac_toe", ".setup button.main"),
        ):  # fmt: skip
            browser.get("about:blank")
            browser.get(address + view)
            one(browser, there)
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= 360, (view, wide)
            assert browser.execute_script(NAMELESS) == [], view
            levels = browser.execute_script(LEVELS)
            assert levels.count(1) == levels[0] == 1, (view, levels)
            assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), (view, levels)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert not troubles(browser)


LEVELS = """
return [...document.querySelectorAll('h1, h2, h3, h4')].filter((e) => e.getClientRects().length)
  .map((e) => Number(e.tagName[1]));
"""
NAMELESS = """
return [...document.querySelectorAll('#page button, #page a, #page input, #page select, #page svg')]
  .filter((e) => e.getClientRects().length && !e.closest('[aria-hidden=true]'))
  .filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length))
  .map((e) => e.outerHTML.slice(0, 120));
"""


def test_a_match_is_played_paused_and_gone_on_with(browser, address):
    browser.get("about:blank")  # else it is the page before, with another hash
    browser.get(f"{address}#/match?task=tic_tac_toe&a=random&b=random&pairs=400&seed=1")
    press(browser, ".setup button.main")
    wait(browser, lambda b: "[" in b.find_element(By.CSS_SELECTOR, ".lead").text)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".charts .chart")) == 2
    press(browser, ".setup button.main")
    paused = says(browser, ".match > p")
    assert paused.startswith("Paused after")
    time.sleep(0.6)
    assert says(browser, ".match > p") == paused
    before = says(browser, ".lead")
    press(browser, ".setup button.main")
    wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, ".lead").text != before)
    press(browser, ".setup .buttons button", 1)
    assert says(browser, ".match > p").startswith("Stopped after")
    assert not troubles(browser)


def test_a_match_that_costs_too_much_says_the_number(browser, address):
    browser.get("about:blank")
    browser.get(f"{address}#/match?task=connect_four&pairs=1000&a_effort=65536&b_effort=65536")
    press(browser, ".setup button.main")
    said = says(browser, ".refused[role=alert]")
    assert "5,505,024,000" in said and "20,000,000" in said
