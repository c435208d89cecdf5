"""A playground and a browser on it, for the tests that look at its pages."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

BROWSER = next((p for p in ("/usr/bin/chromium", "/usr/bin/google-chrome") if Path(p).exists()), "")
DRIVER = shutil.which("chromedriver") or ""
needed = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="needs chromium and chromedriver (Debian: apt install chromium chromium-driver)",
)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
REFUSED = re.compile("status of (400|413)")
"""What a page asked for in vain is written into the browser's log."""


def serving(*asked_for):
    """A playground as `deliberate serve` starts it, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = [sys.executable, "-m", "deliberation.cli", "serve", "--no-open", "--port", str(port)]
    with subprocess.Popen([*serve, *asked_for], stdout=subprocess.PIPE, text=True) as server:
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


def driving():
    """A browser."""
    options = Options()
    options.binary_location = BROWSER
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield made
    made.quit()


def paging(browser):
    """A window of 1300 x 900 in light, and nothing in it that is forbidden or failed."""
    show(browser, 1300, 900, "light")
    browser.get_log("browser")
    browser.get("about:blank")
    yield browser
    severe = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert not [message for message in severe if not REFUSED.search(message)]


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
    # What is drawn anew between two looks is looked for again.
    gone = [NoSuchElementException, StaleElementReferenceException]
    return WebDriverWait(browser, seconds, 0.05, gone).until(lambda _: told())


def answered(browser):
    """Until search is at the dial's effort and the network has answered: what they say."""
    effort = text(browser, ".effort")
    until(browser, lambda: text(browser, "[data-note=search]").startswith(effort))
    until(browser, lambda: "network" in text(browser, "[data-note=habit]"))
    return tuple(text(browser, f"[data-says={name}]") for name in ("search", "habit"))


def press(browser, key):
    browser.switch_to.active_element.send_keys(key)


def reach(browser, name, most=60):
    """Tab until one is there."""
    for _ in range(most):
        if browser.switch_to.active_element.get_attribute("id") == name:
            return
        press(browser, Keys.TAB)
    raise AssertionError(f"{name} is not reached by Tab")
