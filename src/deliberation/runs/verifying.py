"""Is a run's folder as it was written? Every line of its records, and every file of its cells."""

from pathlib import Path

import msgspec

from .records import read_records
from .stores import artefact_folder


class Verified(msgspec.Struct, frozen=True):
    """What was compared with its digest: records, and files that their cells left."""

    records: int
    files: int


def verify(folder: Path | str) -> Verified:
    """Compare everything in a run's folder with its digests, also while the run goes on.

    Files that are kept at an address are downloaded where there is no copy yet.

    Raises `OutputFolderError` where there is no run, and `RecordError`, which names the line or
    the file and says what to do.
    """
    records = read_records(folder)
    for record in records.values():
        artefact_folder(folder, record)
    return Verified(len(records), sum(len(record.artefacts) for record in records.values()))
