"""The verdicts of a whole table, under one error rate."""

from collections.abc import Sequence

import msgspec

from ...runs import Finding, Row
from ...stats import judge_family
from .rows import claimed_of, estimate_of, with_verdict


def judge_all(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with the verdict on each row that claims something.

    The probability that any of them is wrong by chance is at most 5 % (Holm 1979). What the row's
    own interval says stays beside it, as `alone`.
    """
    rows = [row for finding in findings for row in finding.rows if row.kind == "claim"]
    verdicts = judge_family([(estimate_of(row), claimed_of(row)) for row in rows])
    judged = {id(row): verdict for row, verdict in zip(rows, verdicts, strict=True)}

    def given(row: Row) -> Row:
        return with_verdict(row, judged[id(row)]) if id(row) in judged else row

    return [
        msgspec.structs.replace(finding, rows=[given(row) for row in finding.rows])
        for finding in findings
    ]
