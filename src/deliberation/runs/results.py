"""What came of a run: the records of its cells, and why others have none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .records import Record


@dataclass(frozen=True, repr=False)
class Run(Mapping[str, Record]):
    """The records of a run's cells by id; `failures` says in a few words why others have none."""

    records: dict[str, Record]
    failures: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, cell: str) -> Record:
        return self.records[cell]

    def __iter__(self) -> Iterator[str]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        return f"Run({len(self.records)} records, {len(self.failures)} failures)"
