"""What objects show of themselves in a notebook, and as figures."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made import EVIL, absent, check, figure, finding, panel, row

from deliberation import Decision, Ledger, claims, make_task
from deliberation.amortised import Trained
from deliberation.audit import Answer, Profile
from deliberation.audit.profile import Control
from deliberation.core import RootStatistics, UniformRandom, Written
from deliberation.core.display.figures import figure_of
from deliberation.core.display.html import bars, curve, fragment
from deliberation.core.display.ledgers import spent_words
from deliberation.core.display.palette import PLACEHOLDERS
from deliberation.core.display.panels import Panel, Series
from deliberation.core.errors import (
    BatchMismatchError,
    MissingFigureError,
    UnknownNameError,
    UnsuitableTaskError,
)
from deliberation.report import Table
from deliberation.stats import Estimate, nothing

COLOUR = re.compile(r"[:\"]#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(|:(?:white|black|grey|red)\b")


class Read(HTMLParser):
    """Texts of the cells by row, what is heard of pictures, and the tags that are there."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.heard, self.tags, self.scopes, self.captions = [], [], [], [], []
        self._open = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        told = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.scopes.append((tag, told.get("scope")))
        if tag == "svg" and "aria-hidden" not in told:
            self.heard.append(told["aria-label"])
            assert told["role"] == "img"
        if tag == "br":
            self.rows[-1][-1] += "\n"
        self._open = tag

    def handle_data(self, data):
        if self._open == "caption":
            self.captions.append(data)
            self._open = None
        elif self.rows and self.rows[-1] and self._open != "p":
            self.rows[-1][-1] += data


def checked(text: str) -> Read:
    """Read what is shown; it is closed, in nobody's colours, and refers to nothing outside."""
    ET.fromstring(text.replace("&nbsp;", " ").replace("<br>", "<br/>"))
    assert COLOUR.search(text) is None, COLOUR.search(text)
    assert "currentColor" in text and "background:none" in text
    assert "http" not in text and "<script" not in text and "url(" not in text
    read = Read(text)
    assert read.captions and all(
        scope in ("col", "row") for tag, scope in read.scopes if tag == "th"
    )
    return read


def decision(**changes) -> Decision:
    plain = {
        "action": jnp.array([2, 0, -1]),
        "weights": jnp.array([[0.25, 0.0, 0.75], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
        "value": jnp.array([0.5, -1.0, 0.0]),
        "spent": Ledger(model_steps=jnp.array([8, 8, 0]), flops=None),
        "root": RootStatistics(
            visits=jnp.array([[2.0, 0.0, 6.0], [4.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
            values=jnp.array([[0.1, 0.0, 0.6], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
            prior=None,
            line=jnp.array([[2, 1], [0, -1], [-1, -1]]),
        ),
    }
    return Decision(**{**plain, **changes})


def first(found: Decision) -> Decision:
    return jax.tree.map(lambda x: x[:1] if jnp.ndim(x) else x, found)


def test_a_decision_of_several_rows_is_a_line_for_each():
    read = checked(decision()._repr_html_())
    assert read.captions == ["Decision for 3 states"]
    assert read.rows == [
        ["row", "action", "value", "weights of 3 actions", "visits", "values of the most visited"],
        ["0", "action 2", "0.500", "", "", "2: 0.600, 0: 0.100"],
        ["1", "action 0", "−1", "", "", "0: −1"],
        ["2", "none (ended)", "0", "", "", "–"],
    ]
    assert read.heard[:2] == ["weight of 2: 0.750, 0: 0.250", "visits of 2: 6, 0: 2"]
    assert read.heard[-1] == "no visits"
    assert "Spent 16 model steps, unknown network operations (3 rows together)." in (
        decision()._repr_html_()
    )


def test_a_decision_of_one_row_shows_its_actions_the_weightiest_first():
    text = first(decision())._repr_html_()
    read = checked(text)
    assert read.captions == ["Decision: action 2, value 0.500"]
    assert read.rows == [
        ["action", "weight", "visits", "value (expected return)"],
        ["2", " 0.75", "6", "0.600"],
        ["0", " 0.25", "2", "0.100"],
        ["1", " 0.00", "0", "–"],
    ]
    assert "Principal variation: 2, 1." in text


def test_what_is_left_out_is_counted():
    many = UniformRandom(make_task("go_9x9", size=5))
    start = jax.vmap(many.task.init)(jax.random.split(jax.random.key(0), 12))
    found, _ = many.decide(start, key=jax.random.key(1))
    assert "2 more rows are not shown." in found._repr_html_()
    text = first(found)._repr_html_()
    assert "18 more actions are not shown." in text and len(text) < 6000
    assert "One more row is not shown." in (
        jax.tree.map(lambda x: x[:11] if jnp.ndim(x) else x, found)._repr_html_()
    )


def test_continuous_actions_are_vectors():
    found = Decision(
        action=jnp.array([[0.5, -0.25]]), weights=jnp.array([[0.75, 0.25]]),
        value=jnp.array([1.0]), spent=Ledger(),
        candidates=jnp.array([[[0.5, -0.25], [0.0, 1.0]]]),
    )  # fmt: skip
    read = checked(found._repr_html_())
    assert read.captions == ["Decision: (0.500, −0.250), value 1"]
    assert [line[0] for line in read.rows] == ["candidate", "(0.500, −0.250)", "(0, 1)"]


def test_a_decision_that_is_traced_or_stacked_shows_its_plain_text():
    seen = []

    @jax.jit
    def inside(x):
        seen.append(decision(value=x)._repr_html_())
        return x

    inside(jnp.zeros(3))
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]) if jnp.ndim(x) else x, decision())
    assert seen == [None] and stacked._repr_html_() is None


def labels(drawn) -> list[tuple[str, str]]:
    return [(axes.get_xlabel(), axes.get_ylabel()) for axes in drawn.axes]


def test_a_figure_of_a_decision_has_axes_with_units_and_the_names_of_actions():
    drawn = decision().plot(names=["left", "stay", "right"])
    assert labels(drawn) == [
        ("action", "weight (probability)"),
        ("action", "visits (simulations)"),
        ("action", "value (expected return)"),
    ]
    heights = [bar.get_height() for bar in drawn.axes[0].patches]
    assert heights == [0.25, 0.0, 0.75]
    ticks = [[t.get_text() for t in axes.get_xticklabels()] for axes in drawn.axes]
    assert ticks == [["left", "stay", "right"]] * 2 + [["left", "right"]]
    assert labels(decision(root=None).plot(1)) == [("action", "weight (probability)")]
    assert len(decision().plot(2).axes) == 2  # nothing was tried
    with pytest.raises(BatchMismatchError, match=r"no row 3 in a decision of 3 rows"):
        decision().plot(3)


def test_of_many_actions_the_weightiest_are_drawn():
    weights = np.zeros((1, 40))
    weights[0, 30:] = 0.1
    some = Decision(
        action=jnp.array([30]), weights=jnp.array(weights), value=jnp.zeros(1), spent=Ledger()
    )
    (axes,) = some.plot().axes
    assert axes.get_xlabel() == "action (16 of 40)"
    assert [t.get_text() for t in axes.get_xticklabels()][-10:] == [str(i) for i in range(30, 40)]


def test_no_state_of_pyplot_is_touched_and_nothing_is_imported_early():
    code = (
        "import sys, jax, deliberation.core.decider, deliberation.amortised.training.trained, "
        "deliberation.audit.profile; print('matplotlib' in sys.modules)\n"
        "from deliberation.core.display.figures import figure_of\n"
        "from deliberation.core.display.panels import Panel\n"
        "figure_of([Panel(title='', x_label='x', y_label='y')])._repr_png_()\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_figures_stand_in_a_notebook_and_have_real_colours():
    drawn = figure_of([panel(), panel()])
    data, size = drawn._repr_png_()
    assert data.startswith(b"\x89PNG") and size == {"width": 800, "height": 300}
    assert len(data) < 40_000
    names = {tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in PLACEHOLDERS}
    image = np.asarray(drawn.canvas.buffer_rgba())[..., :3].reshape(-1, 3)
    assert not {tuple(int(x) for x in pixel) for pixel in np.unique(image, axis=0)} & names


# Trainings


def trained(**metrics) -> Trained:
    spent = Ledger(model_steps=1200, fits=30, data=None, seconds=3.2)
    return Trained(None, jnp.zeros(2), spent, {n: np.asarray(x) for n, x in metrics.items()})


def test_a_training_shows_how_it_went_and_what_it_cost():
    read = checked(
        trained(**{"return": [np.nan, 0.25, 2.0, 1.5], "my_metric": [1.0]})._repr_html_()
    )
    assert read.captions[1:] == ["What training spent"]
    assert read.rows[:3] == [
        ["metric", "first", "last", "greatest", "over the updates"],
        ["return (reward an episode)", "0.250", "1.50", "2", ""],
        ["my metric", "1", "1", "1", ""],
    ]
    assert read.rows[4:] == [
        ["model steps", f"1{chr(0x202F)}200"], ["network evaluations", "0"],
        ["gradient updates", "30"], ["examples", "unknown"], ["network operations", "0"],
        ["time", "3 s"],
    ]  # fmt: skip
    assert read.heard == ["return from 0.250 to 1.50, at most 2, over 4 updates"]


def test_a_figure_of_a_training_has_a_panel_a_metric():
    drawn = trained(**{"return": [np.nan, 0.25, 2.0], "loss": [3.0, 2.0, 1.0]}).plot()
    assert labels(drawn) == [
        ("updates", "return (reward an episode)"), ("updates", "loss (as trained on)"),
    ]  # fmt: skip
    (line,) = drawn.axes[0].lines
    assert line.get_xdata().tolist() == [2, 3] and line.get_ydata().tolist() == [0.25, 2.0]
    with pytest.raises(MissingFigureError, match="kept no metric"):
        trained().plot()


# Audits


def profile(*answers) -> Profile:
    return Profile(
        subject="Subject", task="world", effort="smoke", states=9, asked=4, answers=list(answers),
        notes=["Truth is a planner's."],
    )  # fmt: skip


def answer(**changes) -> Answer:
    plain = {
        "probe": "effort", "question": "Does it?", "statistic": "way gained", "found": "none",
        "said": "It gains nothing.", "estimate": Estimate(0.01, -0.04, 0.06, 50),
        "controls": [Control(name="another draw", estimate=Estimate(0, -0.1, 0.1, 9), holds=True)],
        "rules_out": "a search", "panel": panel(),
    }  # fmt: skip
    return Answer(**{**plain, **changes})


def test_a_profile_is_a_line_a_probe():
    unasked = answer(
        probe="match", found="not applicable", said="Nobody to play.", estimate=nothing(),
        controls=[], rules_out="", panel=None,
    )  # fmt: skip
    text = profile(answer(), unasked)._repr_html_()
    read = checked(text)
    assert read.captions == ["Subject in world: 4 of 9 states asked, effort smoke"]
    assert read.rows == [
        ["probe", "found", "statistic [95 % interval]", "controls", "verdict"],
        ["effort", "no response", "0.010 [−0.040, 0.060]: way gained",
         "another draw 0.00 [−0.10, 0.10] (holds)", "It gains nothing. Rules out: a search."],
        ["match", "not applicable", "–", "–", "Nobody to play."],
    ]  # fmt: skip
    assert "Truth is a planner&#x27;s." in text


def test_a_figure_of_a_profile_has_what_probes_measured():
    drawn = profile(answer(), answer(probe="match", panel=None)).plot()
    assert labels(drawn) == [("simulations", "score")]
    assert drawn.axes[0].get_title(loc="left") == "effort: no response"
    with pytest.raises(MissingFigureError, match="None of the probes match"):
        profile(answer(probe="match", panel=None)).plot()


# Tables


def made_table(*findings, **more) -> Table:
    return Table(Path("run"), findings or (finding(rows=[row()], figures=[figure()]),), **more)


def test_a_table_is_printed_shown_and_asked():
    table = made_table(notes=("A cell failed.",))
    read = checked(table._repr_html_())
    assert read.captions == ["The comparison on tic_tac_toe"]
    assert read.rows[1][0] == "Scalability with compute"
    assert (
        "gain a doubling: 0.081 [0.069, 0.093] ✓\n✓ supported (✓ 1  ~ 0  ✕ 0 of 1)"
        in (read.rows[1][1])
    )
    assert "A cell failed." in table._repr_html_() and "A cell failed." in str(table)
    assert "gain a doubling: 0.081" in str(table)
    assert repr(table) == "Table(tic_tac_toe; 1 claims; 1 supported)"
    assert table.verdicts == {"slope": "supported"} and table.rows == [row()]
    assert table["slope"].rows == [row()] and "**✓ supported**" in table.markdown()
    with pytest.raises(UnknownNameError, match="slope"):
        table["slop"]


def test_a_figure_of_a_table_is_of_a_claim():
    table = made_table(finding(rows=[row()], figures=[figure([panel(), panel()])]))
    assert labels(table.plot("slope")) == [("simulations", "score")] * 2
    assert labels(table.plot()) == [("simulations", "score")] * 2
    with pytest.raises(MissingFigureError, match="slope has no figure"):
        made_table(finding(rows=[absent()], figures=[])).plot("slope")


def test_rows_without_a_verdict_say_what_they_are():
    rows = [check(quantity="model steps"), absent(side="amortised")]
    read = checked(made_table(finding(rows=rows, figures=[]))._repr_html_())
    assert "Instrument check, not counted: model steps 0" in read.rows[1][1]
    assert "it is no game" in read.rows[1][2]


def test_the_same_wish_is_the_same_run_however_it_is_spelt():
    names = ["gridworld:size=4", "gridworld(size=4)"]
    run = claims.asked_run(names, "smoke", only=["budget_slope"])
    assert run == {"tasks": ["gridworld(size=4)"], "effort": "smoke", "claims": ["budget_slope"]}
    one = claims.asked_run([make_task("tic_tac_toe")], "smoke", only=["budget_slope"])
    assert one["tasks"] == ["tic_tac_toe"]
    with pytest.raises(UnknownNameError, match="budget_slope"):
        claims.asked_run([], "smoke", only=["budget_slop"])
    with pytest.raises(UnsuitableTaskError, match="leave the tasks out"):
        claims.measure("tic_tac_toe", "smoke", rows=["learned"])


# Texts


def test_what_was_written_is_a_line_a_text():
    written = Written(
        np.array([[3, 1, -1], [2, -1, -1]], np.int32), np.array([-0.5, -1.25], np.float32),
        Ledger(network_evaluations=np.array([4, 3])),
    )  # fmt: skip
    text = written._repr_html_()
    read = checked(text)
    assert read.captions == ["Written after 2 texts"]
    assert read.rows[1:] == [["0", "2", "−0.500", "3 1"], ["1", "1", "−1.25", "2"]]
    assert "Spent 7 network evaluations (2 rows together)." in text


def test_a_task_of_text_says_what_it_is_written_in():
    task = make_task("countdown", numbers=2)
    read = checked(task._repr_html_())
    told = dict(read.rows[1:])
    assert told["the end"] == task.symbols[task.end] and told["symbols"].startswith(task.symbols[0])
    assert told["places of a prompt"] == str(task.prompt_places)


# All of them


def test_nothing_that_is_shown_can_be_markup():
    evil = [
        profile(answer(probe=EVIL, statistic=EVIL, said=EVIL)),
        trained(**{EVIL: [1.0, 2.0]}),
        made_table(
            finding(rows=[row(quantity=EVIL, task=EVIL, decider=EVIL)], title=EVIL), notes=(EVIL,)
        ),
    ]
    for one in evil:
        text = one._repr_html_()
        assert "alert" in text and "<script" not in text and "<b>" not in text.replace("<b>✓", "")
        ET.fromstring(text.replace("<br>", "<br/>"))
    shown = bars([1.0], EVIL)
    assert EVIL not in shown and ET.fromstring(shown).get("aria-label") == EVIL


def test_bars_and_curves_survive_odd_numbers():
    assert "<rect" not in bars([], "none") and "<rect" not in bars([0.0, np.nan], "none")
    assert bars(np.full(500, 1.0), "many").count("<rect") == 64
    assert curve([], "") == "" and curve([np.nan, 1.0], "") == ""
    level = ET.fromstring(curve([2.0, 2.0, np.inf], "level"))
    assert level[0].get("points") == "0,1 48,1"


def test_costs_in_a_line():
    assert spent_words({"model_steps": 0, "seconds": 0}) == "Spent nothing."
    assert spent_words({"fits": 1, "seconds": 0.25}) == "Spent 1 gradient update, 250 ms."
    assert spent_words({"model_steps": 3, "flops": None}, 2) == (
        "Spent 3 model steps, unknown network operations (2 rows together)."
    )


def test_bars_begin_at_zero():
    bar = Series(label="", kind="bars", x=[0.0, 1.0], y=[0.5, 0.6])
    drawn = figure_of([Panel(title="", x_label="x", y_label="y", series=[bar])])
    assert drawn.axes[0].get_ylim()[0] == 0.0


def test_the_style_is_small_and_of_its_own_class_only():
    style = re.search(r"<style>(.*)</style>", fragment("")).group(1)
    assert len(style) < 1200
    assert all(rule.startswith(".deliberation") for rule in re.findall(r"([^{}]+)\{", style))
