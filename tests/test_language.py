"""The library states evidence and asserts nothing of minds: what it can print is read word by word.

A verdict tells a response, a share, a score. It never says that a subject plans, wants, intends or
understands, that it is an optimiser, or that there is no search in it: none of these is measured.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from deliberation import claims
from deliberation.audit import Exam, audit
from deliberation.audit.auditing import list_probes
from deliberation.claims.measuring.effort import LEVELS
from deliberation.claims.measuring.planted import World
from deliberation.claims.measuring.results import Results
from deliberation.report.pages.audit import save_audit
from deliberation.specimens import make, random_world

SOURCE = Path(__file__).parents[1] / "src" / "deliberation"
PRINTED = ("audit", "claims", "report", "cli", "advice")
"""The wings whose words are verdicts, or stand beside them."""

MINDS = (
    r"\b(wants|intends|desires|hopes|believes|understands|cares about|tries to|is trying to)\b",
    r"\b(has|have|having) (a |its |own |no |real |inner )*"
    r"(goals?|intentions?|desires?|beliefs?|understanding)\b",
    r"\b(goals?|aims?|intentions?|desires?) of (its|their) own\b",
    r"\bits (own )?(goals?|intentions?|desires?|beliefs?|wishes)\b",
    r"\bgoal-directed\b",
)
"""Words of minds: in no context is any of them what was measured."""
SEARCHES = (
    r"\b(it|that|which|who|subject|policy|network|learner|system|table|model|agent|decider) "
    r"(really |never |also |only )?"
    r"(plans|searches|optimi[sz]es|deliberates|thinks|knows|pursues|aims)\b",
    r"\b(they|subjects|policies|networks|learners|systems|models|agents|deciders) "
    r"(plan|search|optimi[sz]e|want|intend|understand|think|know)\b",
    r"(?<!-)\b(over-?optimi[sz]es|mesa-?optimi[sz]\w*)",
    r"\b(is|are|as) an? (\w+ )?(optimi[sz]ers?|searcher|agent)\b",
    r"\b(is|are) an? (\w+ )?planner\b",
    r"\b(no|not|without|never) (any )?(inner )?search(es|ing)?\b",
    r"\b(does|do) not (search|plan|optimi[sz]e)\b",
    r"\bno (world )?model\b",
    r"\b(plans|searches) (ahead|inside|inwardly)\b",
)
"""What something is or does inside, which answers alone do not show."""
FORBIDDEN = re.compile("|".join(f"(?:{one})" for one in (*MINDS, *SEARCHES)), re.IGNORECASE)

ELSEWHERE = ("fooled_by", "RULES_OUT", "PLANTED")
"""Keys and names under which others than the subject are spoken of: what could look the same, what
it then is not, worlds that are planted. Of those minds may not be spoken either."""

BUILT = {
    "claims/commentary/better_data.py": "network that searches",
    "claims/commentary/positions.py": "network that searches",
    "claims/commentary/planning_when_needed.py": "one that plans as often at random",
    "advice/candidates.py": "it plans for one player",
    "advice/words.py": "all that plans and learns",
    "audit/sampling.py": "a reference that searches",
    "audit/living.py": "it knows",
    "claims/aspects.py": "Where it optimises",
    "cli/_rounds.py": "There is no search for this task to ask.",
}
"""Phrases of systems into which search was built by this library, or that are not of a subject."""


def _texts(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Every text of some code that is no docstring, f-strings whole, and whether it speaks of
    others than the subject."""
    others = {
        id(inner)
        for node in ast.walk(tree)
        for part in _of_others(node)
        for inner in ast.walk(part)
    }
    parts = {
        id(piece)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for piece in node.values
    }
    said = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            pieces = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
            yield "".join(map(str, pieces)), id(node) in others
        elif isinstance(node, ast.Constant) and id(node) not in parts | said:
            yield node.value if isinstance(node.value, str) else "", id(node) in others


def _of_others(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in ELSEWHERE:
                yield value
    elif isinstance(node, ast.Assign):
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        yield from [node.value] * bool(names & set(ELSEWHERE))


def unquoted(text: str) -> str:
    """A text on one line without what it only quotes."""
    return re.sub(r"“[^”]*”|\"[^\"]*\"|`[^`]*`", "", " ".join(text.split()))


def asserted(text: str, *, of_others: bool = False) -> list[str]:
    """What a text asserts that nobody measured."""
    pattern = re.compile("|".join(MINDS), re.IGNORECASE) if of_others else FORBIDDEN
    return [found.group(0) for found in pattern.finditer(unquoted(text))]


def offences(code: str, allowed: str = "") -> list[str]:
    """The same of every text in some code, but for one phrase that is allowed there."""
    found = []
    for text, others in _texts(ast.parse(code)):
        plain = " ".join(text.split())
        left = plain.replace(allowed, "") if allowed else plain
        found += [f"{words!r} in {plain!r}" for words in asserted(left, of_others=others)]
    return found


@pytest.mark.parametrize("wing", PRINTED)
def test_no_text_of_a_printing_wing_asserts_what_was_not_measured(wing):
    for path in sorted((SOURCE / wing).rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        assert not offences(path.read_text(), BUILT.get(name, "")), name


def test_what_is_allowed_still_stands_where_it_is_allowed():
    for name, phrase in BUILT.items():
        texts = [" ".join(t.split()) for t, _ in _texts(ast.parse((SOURCE / name).read_text()))]
        assert any(phrase in text and asserted(text) for text in texts), (name, phrase)


@pytest.mark.parametrize(
    "planted",
    [
        "It plans.",
        "The subject wants what it is told.",
        "This policy is an optimiser.",
        "The network has goals of its own.",
        "There is no search in it.",
        "The system does not search.",
        "Over-optimises its proxy.",
        "It is a planner.",
        "It understands the world.",
        "The agent pursues another objective.",
        "A mesa-optimiser.",
    ],
)
def test_a_sentence_that_asserts_is_refused_wherever_it_is_planted(planted):
    """In a dictionary of verdicts, in an f-string, in pieces, in a claim."""
    half = len(planted) // 2
    pieces = f"{planted[:half]!r} {planted[half:]!r}"
    assert offences(f"WORDS = {{'responds': {planted!r}}}")
    assert offences(f"said = f'{planted} ' + str(1)")
    assert offences(f"CLAIM = {{'statement': ({pieces})}}")
    assert offences(f"sentence = f'{planted} It goes {{way:.2f}} of the way.'")
    probe = (SOURCE / "audit/probes/effort.py").read_text()
    real = "Choices get better with the budget that is offered."
    assert real in probe and not offences(probe)
    assert offences(probe.replace(real, planted))


def test_evidence_quotations_and_docstrings_are_not_refused():
    for fine in (
        "Choices get better with the budget that is offered.",
        "No response to the offered budget.",
        "A planner goes 0.9 of the way.",
        "Search is kept in 24 of 24 trainings.",
        "The text says “it wants what it is told”.",
    ):
        assert not asserted(fine), fine
    assert not offences('"""It plans."""\ndef f():\n    """It wants."""\n')
    assert not offences("PROBE = {'fooled_by': 'a table that knows all objectives'}")
    assert offences("PROBE = {'fooled_by': 'a policy that wants to look good'}")


def test_what_probes_declare_and_claims_state_asserts_nothing():
    """As they are listed, with texts put together."""
    for name, probe in list_probes().items():
        for field in ("question", "statistic", "needs"):
            assert not asserted(probe[field]), (name, field)
        assert not [w for w in probe.get("named", {}).values() if asserted(f"It is {w}.")], name
    built = [phrase for phrase in BUILT.values() if phrase]
    for name, claim in claims.list_claims().items():
        for field in ("title", "statement", "estimand", "refuted_if", "smallest"):
            text = " ".join(claim[field].split())
            for phrase in built:
                text = text.replace(phrase, "")
            assert not asserted(text), (name, field)


def test_what_claims_about_learned_optimisation_say_of_planted_worlds_asserts_nothing():
    """Sentences, rows and figures, whatever comes out."""
    e, learned = LEVELS["smoke"], claims.claims_of_rows(["learned"])
    for name in learned:
        module = claims.claim(name)
        for planted in (*module.PLANTED["null"].values(), *module.PLANTED["effect"].values()):
            for world in module.WORLDS:
                records = World(**planted).records(module.cells(world, e))
                shown = module.analyse(world, e, Results(records))
                texts = [shown.sentence, *(p.title for p in shown.panels)]
                texts += [t for row in shown.rows for t in (row.quantity, row.note, row.reason)]
                texts += [s.label for p in shown.panels for s in p.series]
                assert not [w for text in texts for w in asserted(text)], name


@pytest.mark.parametrize("specimen", ["sweep_planner", "look_up_table"])
def test_the_audit_of_what_searches_and_of_what_does_not_asserts_nothing(specimen, tmp_path):
    """In the terminal and on the page: of both the answers alone are told."""
    exam = Exam.of(random_world(0), count=32)
    policy = make(specimen, exam, jax.random.key(0))
    found = audit(policy, exam.task, probes=["effort", "objective"], effort="smoke")
    for answer in found.answers:
        assert not asserted(f"{answer.said} It is {answer.named}. {answer.verdict}")
    lines = [line for line in str(found).splitlines()[1:] if "fooled by" not in line]
    assert not asserted(" ".join(line for line in lines if "rules out" not in line))
    page = save_audit(found, tmp_path / "page.html").read_text()
    shown = re.sub(r"<(script|style).*?</\1>|<[^>]+>", "\n", page, flags=re.DOTALL)
    assert not [line for line in shown.splitlines() if asserted(line)]
