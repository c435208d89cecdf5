"""The board of the playground in a real browser: answers that are cut off, strangers, options."""

import pytest

pytest.importorskip("starlette")
pytest.importorskip("selenium")

from playground_browser import (
    at,
    driving,
    needed,
    paging,
    press,
    reach,
    serving,
    show,
    text,
    until,
)  # fmt: skip
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

pytestmark = needed
STRANGE = "gym:FrozenLake-v1"
HOLD = """
const real = window.fetch, how = arguments[1];
let left = arguments[0];
const busy = '{"error": "Too many searches are going on."}';
const never = (signal) => new Promise((_, no) =>
  signal.addEventListener("abort", () => no(signal.reason)));
window.fetch = async (path, told) => {
  if (!String(path).includes("/api/think") || left-- <= 0) return real(path, told);
  if (how === "held") return never(told.signal);
  if (how === "busy") return new Response(busy, { status: 503 });
  const reader = (await real(path, told)).body.getReader(), first = await reader.read();
  return new Response(new ReadableStream({ start(c) {
    c.enqueue(first.value);
    if (how === "ended") c.close(); else c.error(new Error("cut"));
    reader.cancel();
  } }));
};"""
"""So many of the next questions are never answered, refused, or cut off after a first answer."""
HIDE = """
Object.defineProperty(document, "hidden", { get: () => %s, configurable: true });
document.dispatchEvent(new Event("visibilitychange"));"""
SMALL = """
return [...document.querySelectorAll('button, summary, select, input, nav a')].filter((e) => {
  const r = e.getBoundingClientRect();
  const seen = e.checkVisibility({ opacityProperty: true }) && r.width;
  return seen && Math.min(r.width, r.height) < 24;
}).map((e) => e.outerHTML);"""
CUT = """
return [...document.querySelectorAll('.name, .action, .seen-table td')]
  .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent);"""


@pytest.fixture(scope="module")
def address():
    yield from serving(STRANGE)


@pytest.fixture(scope="module")
def browser():
    yield from driving()


@pytest.fixture
def page(browser):
    yield from paging(browser)


def opened(page, address, query):
    page.get(f"{address}#/board?{query}")
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".action"))


def write_moves(page, moves):
    at(page, "#moves").send_keys(Keys.CONTROL + "a", Keys.NULL, moves, Keys.ENTER)


def known(page):
    return "value" in text(page, "[data-note=exact]")


def test_a_move_that_is_refused_leaves_no_answer_out(page, address):
    """The questions about the position that is still shown are put again."""
    opened(page, address, "task=tic_tac_toe&effort=64")
    until(page, lambda: known(page))
    page.execute_script(HOLD, 1, "held")
    write_moves(page, "a1")
    until(page, lambda: "moves=a1" in page.current_url and text(page, "[data-says=exact]") == "…")
    write_moves(page, "a1 a1")
    until(page, lambda: "no legal move" in text(page, ".refused"))
    until(page, lambda: known(page))
    assert page.current_url.endswith("moves=a1"), "the link holds what is shown"
    assert "simulations" in text(page, "[data-note=search]")


@pytest.mark.parametrize("how", ["ended", "broken", "busy"])
def test_answers_that_break_off_are_asked_for_again(browser, address, how):
    show(browser, 1300, 900, "light")
    browser.get("about:blank")
    opened(browser, address, "task=tic_tac_toe&effort=64")
    until(browser, lambda: known(browser))
    browser.execute_script(HOLD, 1, how)
    write_moves(browser, "a2")
    until(browser, lambda: "Asking again" in text(browser, ".refused"))
    until(browser, lambda: known(browser))
    assert text(browser, ".refused") == "" and "(○)" in text(browser, ".status")


def test_a_reload_while_it_is_solved_is_answered(page, address):
    for _ in range(3):
        page.get(f"{address}#/board?task=connect_3_4x4&effort=64")
        page.refresh()
    until(page, lambda: known(page), 90)


def test_ten_pages_at_once_are_all_answered(page, address):
    first, windows = page.current_window_handle, []
    try:
        for n in range(10):
            page.switch_to.new_window("tab")
            windows.append(page.current_window_handle)
            page.get(
                f"{address}#/board?task=tic_tac_toe&effort=64&moves={'abc'[n % 3]}{1 + n // 4}"
            )
        for window in windows:
            page.switch_to.window(window)
            until(page, lambda: known(page), 60)
    finally:
        for window in windows:
            page.switch_to.window(window)
            page.close()
        page.switch_to.window(first)


def test_a_page_that_is_not_seen_keeps_no_stream(page, address):
    opened(page, address, "task=tic_tac_toe&effort=64")
    until(page, lambda: known(page))
    page.execute_script(HOLD, 1, "held")
    write_moves(page, "a2")
    until(page, lambda: "moves=a2" in page.current_url and text(page, "[data-says=exact]") == "…")
    page.execute_script(HIDE % "true")
    page.execute_script(HIDE % "false")
    until(page, lambda: known(page))


def test_a_strangers_world_is_a_table_with_named_actions(page, address):
    opened(page, address, f"task={STRANGE}&effort=64")
    rows = [row.text for row in page.find_elements(By.CSS_SELECTOR, "table.seen-table tr")]
    assert "place row 1, column 1" in rows and not page.find_elements(By.CSS_SELECTOR, "pre.board")
    names = [one.text for one in page.find_elements(By.CSS_SELECTOR, ".action")]
    assert names == ["left", "down", "right", "up"]
    at(page, "[data-play='2']").click()
    until(page, lambda: "moves=right" in page.current_url)


def test_options_are_turned_by_keyboard_and_limits_hold(page, address):
    opened(page, address, "task=gridworld&effort=16")
    page.execute_script("document.querySelector('.options summary').focus()")
    press(page, Keys.ENTER)
    reach(page, "option-size")
    press(page, Keys.CONTROL + "a")
    press(page, "7" + Keys.ENTER)
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, ".board .cell")) == 49)
    assert "task=gridworld(size=7)" in page.current_url
    reach(page, "option-size")
    press(page, Keys.CONTROL + "a")
    press(page, "999" + Keys.ENTER)
    said = at(page, "#options [role=alert]")
    until(page, lambda: "999 for size; the playground allows 128" in said.text)
    reach(page, "option-size")
    press(page, Keys.CONTROL + "a")
    press(page, "7.5" + Keys.ENTER)
    until(page, lambda: said.text == "size is 7.5: give a whole number, usually 5.")
    assert "task=gridworld(size=7)" in page.current_url
    at(page, "#options-usual").click()
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, ".board .cell")) == 25)


def test_on_a_phone_no_word_of_an_action_is_cut_and_targets_are_large(page, address):
    show(page, 390, 844, "dark")
    opened(page, address, f"task={STRANGE}&effort=64")
    until(page, lambda: "simulations" in text(page, "[data-note=search]"))
    cut, small = page.execute_script(CUT), page.execute_script(SMALL)
    assert page.find_elements(By.CSS_SELECTOR, ".name") and not cut and not small


def test_the_page_says_that_it_is_still_looking_and_the_dial_ends_it(page, address):
    opened(page, address, "task=connect_four&effort=16384&moves=3")
    until(page, lambda: "simulations" in text(page, "[data-note=search]"))
    at(page, ".toggle").click()
    until(
        page, lambda: "more times whether that is more than chance" in text(page, "#headline"), 90
    )
    press(page, "[")
    until(page, lambda: "Asking search" in text(page, "#headline"), 2)
