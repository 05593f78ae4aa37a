"""Reads with pyarrow every Arrow file of a run: schema, metadata, and the rows in full."""

import json
from collections import Counter
from pathlib import Path

import pyarrow
import pyarrow.ipc

from checks import check, read_case


def read(path: str) -> tuple[bool, str]:
    with pyarrow.ipc.open_file(path) as reader:
        table = reader.read_all()
    table.validate(full=True)
    header = json.loads(table.schema.metadata[b"srppo"])
    columns = ", ".join(f"{field.name} {field.type}" for field in table.schema)
    first = {name: str(value)[:20] for name, value in table.slice(0, 1).to_pylist()[0].items()}
    found[header["contract"]] += 1
    return list(table.schema.metadata) == [b"srppo"], f"{table.num_rows} rows of {columns}; the first: {first}"


case = read_case()
found: Counter[str] = Counter()
for path in case["arrow"]:
    check(f"pyarrow reads {Path(path).parent.name[:8]}/{Path(path).name}", lambda: read(path))
missing = set(case["contracts"]) - set(found)
check("pyarrow has read every contract of a run", lambda: (not missing, f"{dict(found)}, missing {sorted(missing)}"))
