"""The records of epochs as the bytes of epochs.csv, and back: one line for each finished epoch."""

import csv
import io
from collections.abc import Sequence

from ..records import EpochRecord
from ..tables import csv_bytes


def epochs_bytes(records: Sequence[EpochRecord]) -> bytes:
    """The content of epochs.csv; each term of the loss has a column in place of `terms`."""
    terms = list(records[0].terms) if records else []
    header = [*EpochRecord._fields[:3], *terms, *EpochRecord._fields[4:]]
    return csv_bytes([header, *([*each[:3], *each.terms.values(), *each[4:]] for each in records)])


def parse_epochs(content: bytes) -> list[EpochRecord]:
    """The records of epochs.csv. Raises ValueError for a content that is cut short or altered."""
    columns = [name for name in EpochRecord._fields if name != "terms"]
    try:
        if not content.endswith(b"\n"):
            raise ValueError("cut short, perhaps inside a number")
        records = []
        for line in csv.DictReader(io.StringIO(content.decode())):
            numbers = {name: float(value) for name, value in line.items()}
            fields = {name: numbers.pop(name) for name in columns if name in numbers}
            records.append(EpochRecord(terms=numbers, **fields | {"epoch": int(fields["epoch"])}))  # type: ignore[arg-type]
    except (TypeError, KeyError, AttributeError, csv.Error) as error:
        raise ValueError(str(error)) from None
    return records
