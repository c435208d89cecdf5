"""The playground in a real browser: by mouse, by keyboard alone, in dark, and on a phone."""

import itertools
import re
import time
from urllib.parse import unquote

import pytest

pytest.importorskip("starlette")
pytest.importorskip("selenium")

from playground_browser import (
    answered,
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

from deliberation.playground.worlds import Spot, play

pytestmark = needed
FOLLOWED = re.compile(
    r"^The goal changed: search followed and now chooses (\S+); the network did not: "
    r"it is not told the goal, and chooses (\S+) before and after\."
)


@pytest.fixture(scope="module")
def address():
    yield from serving()


@pytest.fixture(scope="module")
def browser():
    yield from driving()


@pytest.fixture
def page(browser):
    yield from paging(browser)


def test_from_a_fresh_page_to_search_followed_and_the_network_did_not(page, address):
    began = time.monotonic()
    page.get(address)
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".toggle"))
    before = answered(page)
    until(page, lambda: "solved beforehand" in text(page, "[data-note=exact]"), 5)
    assert text(page, "[data-says=exact]") == before[0] != before[1], "all three, at first sight"
    at(page, ".toggle").click()
    said = until(page, lambda: FOLLOWED.match(text(page, "#headline")))
    assert time.monotonic() - began < 60
    search, habit = answered(page)
    assert said.groups() == (search, habit), "the sentence is what the answers are"
    assert search != before[0] and habit == before[1]
    at(page, "#usual").click()
    until(page, lambda: text(page, "#headline").startswith("At once"))
    assert answered(page) == before


@pytest.mark.parametrize("task", ["tic_tac_toe", "gridworld"])
def test_the_field_of_moves_names_one_that_the_task_has(page, address, task):
    page.get("about:blank")
    page.get(f"{address}#/board?task={task}&effort=1")
    told = until(page, lambda: at(page, "#moves").get_attribute("placeholder"))
    moves = play(Spot(task))
    legal = [name for name, may in zip(moves.task.action_names, moves.legal, strict=True) if may]
    assert told.removeprefix("moves, such as ") in legal


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
    page.get(f"{address}#/board?task=connect_four")
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
    page.get(f"{address}#/board?task=connect_four&effort=1")
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
    page.get(f"{address}#/board?task=connect_four&effort=1")
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


PARTS = """
const done = arguments[arguments.length - 1], width = arguments[0];
(async () => {
  const { dial } = await import("/static/dial.js"), { tree } = await import("/static/tree.js");
  const { titled } = await import("/static/dom.js");
  const box = document.createElement("div"), made = dial(() => {});
  box.style.width = `${width}px`;
  box.append(made.element);
  document.body.prepend(box);
  const names = ["north", "pick-up", "south"], chosen = [];
  for (let i = 0; i < 15; i++) chosen.push([2 ** i, i < 2 ? 0 : i < 9 ? 1 : 2]);
  made.show(16384, 64);
  made.strip({ chosen }, { names }, { habit: { ready: true, action: 2 }, exact: {} });
  const seen = (css) => [...box.querySelectorAll(css)].flatMap((e) => {
    const range = document.createRange();
    range.selectNodeContents(e);
    const text = range.getBoundingClientRect(), cut = e.getBoundingClientRect();
    return text.width ? [[e.textContent, text.left, Math.min(text.right, cut.right + 3)]] : [];
  });
  const found = { notches: seen(".notch"), words: seen(".chosen"),
    slider: box.querySelector("input").getBoundingClientRect().width };
  const levels = (players) => {
    const grown = tree();
    grown.begin({ names, players, over: false });
    grown.grow({ nodes: 9, tree: [[0, 9, 0.1, [[1, 5, 0.2, []], [2, 3, 0.1, []]]]] });
    return new Set([...grown.element.querySelectorAll(".node")].map((n) => n.className)).size;
  };
  box.remove();
  done({ ...found, one: levels(1), two: levels(2),
    titles: [titled("connect_four"), titled("my_games.nim:Nim")] });
})().catch((error) => done({ error: String(error) }));
"""


@pytest.mark.parametrize("width", [320, 440, 645, 900])
def test_no_two_labels_of_the_dial_overlap_and_levels_are_coloured_by_player(page, address, width):
    page.get(address)
    found = page.execute_async_script(PARTS, width)
    assert "error" not in found, found
    for labels in (found["notches"], found["words"]):
        assert len(labels) >= 3
        for (one, _, end), (other, start, _) in itertools.pairwise(labels):
            assert end <= start, (width, one, other)
    assert {"habit", "exact"} <= {label[0] for label in found["notches"]}
    assert found["slider"] > 0.8 * width
    assert (found["one"], found["two"]) == (1, 2)
    assert found["titles"] == ["connect four", "my_games.nim:Nim"]


ALONG = """
const done = arguments[arguments.length - 1], [chosen, habit, best] = arguments;
(async () => {
  const { dial } = await import("/static/dial.js");
  const made = dial(() => {}), names = ["a", "b", "c", "d"];
  made.show(8, 1);
  const exact = best ? { best, action: best[0] } : undefined;
  made.strip({ chosen }, { names }, { habit: { ready: true, action: habit }, exact });
  const cells = [...made.element.querySelectorAll("li")];
  done([made.element.querySelector(".strip-said").textContent,
    cells.flatMap((c, i) => c.classList.contains("changes") ? [i] : [])]);
})().catch((error) => done([String(error), []]));
"""


@pytest.mark.parametrize(
    ("chosen", "habit", "best", "said", "marks"),
    [
        ([0, 1, 0, 1], 2, [0, 1], "changes once: a or b, which are alike, from 1 on.", [1]),
        ([2, 0, 0, 0], 2, [0, 1], "changes once: a from 2 on.", [2]),
        ([0, 1, 0, 1], 0, [0, 1], "one of the best moves, which are alike.", []),
        ([0, 1, 0, 1], 0, None, "changes 3 times: b from 2 on", [2, 3, 4]),
        ([0, 0, 0, 0], 0, [0], "the same along the whole dial.", []),
        ([0, 3], 0, None, "changes once so far: d from 2 on.", [2]),
    ],
)
def test_no_change_from_one_best_move_to_another_is_counted(
    page, address, chosen, habit, best, said, marks
):
    page.get(address)
    told, found = page.execute_async_script(
        ALONG, [[2**i, action] for i, action in enumerate(chosen)], habit, best
    )
    assert said in told and found == marks, told


SHORTER = """
const done = arguments[arguments.length - 1], [names, best, width] = arguments;
(async () => {
  const { dial } = await import("/static/dial.js");
  const { answers } = await import("/static/answers.js");
  const box = document.createElement("div"), made = dial(() => {}), table = answers();
  box.style.width = `${width}px`;
  box.append(made.element, table.element);
  document.body.prepend(box);
  made.show(4, 1);
  table.begin({ names, legal: names.map((_, i) => i), over: false });
  made.strip({ chosen: [[1, 0], [2, 1], [4, 2]] }, { names },
    { habit: { ready: true, action: 1 }, exact: { best, action: best[0] } });
  const cells = [...made.element.querySelectorAll("li")];
  const rows = [...table.element.querySelectorAll("[role=rowheader]")];
  const found = [cells.map((c) => c.querySelector(".chosen").textContent),
    cells.map((c) => c.title), cells.map((c) => c.querySelector(".unseen").textContent),
    rows.map((r) => r.textContent), rows.map((r) => r.getAttribute("aria-label"))];
  box.remove();
  done(found);
})().catch((error) => done([String(error)]));
"""


@pytest.mark.parametrize(
    ("names", "best", "width", "strip", "rows"),
    [
        ("go-up go-right stay", [2], 500, "→ ↑ → stay ", "up right stay"),
        ("order-none order-1 order-2", [0, 2], 500, "1 none 1 2 2 alike", "none 1 2"),
        ("order-none order-1 order-2", [0, 2], 100, "1 n 1 2 2=", "none 1 2"),
        ("turnleft turnright brake", [2], 100, "→ ← → b ", "…left …right brake"),
        ("up-left up-right down-left", [2], 900, "up-right up-left up-right down-left ",
         "up-left up-right down-left"),
    ],
)  # fmt: skip
def test_words_of_actions_are_cut_to_what_tells_them_apart_and_told_whole(
    page, address, names, best, width, strip, rows
):
    page.get(address)
    names = names.split()
    drawn, titles, aloud, heads, told = page.execute_async_script(SHORTER, names, best, width)
    assert " ".join(drawn) == strip
    assert " ".join(heads) == rows and told == names
    assert titles == aloud and titles[:3] == [
        f"habit: {names[1]}", f"1: {names[0]}", f"2: {names[1]}",
    ]  # fmt: skip
    alike = f"exact: {len(best)} alike, {', '.join(names[i] for i in best)}"
    assert titles[-1] == (alike if len(best) > 1 else f"exact: {names[2]}")
