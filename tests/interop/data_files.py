"""Reads the files of data_files.ts with pyarrow and safetensors, and writes files for it. Argument: the directory."""

import json
import pathlib
import sys

import numpy
import pyarrow
import pyarrow.ipc
import safetensors
import safetensors.numpy

SPELLING = {"utf8": "string", "i32": "int32", "i64": "int64", "f64": "double", "f32": "float", "u8": "uint8"}


def spelled(name: str) -> str:
    """Returns pyarrow's name of a column type."""
    if name.startswith("list<"):
        return f"list<item: {SPELLING[name[5:-1]]} not null>"
    return SPELLING[name]


def check_contract(directory: pathlib.Path, name: str, expected: dict) -> None:
    with pyarrow.ipc.open_file(directory / f"{name}.arrow") as reader:
        table = reader.read_all()
        batches = [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]
    table.validate(full=True)
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {column: spelled(kind.rstrip("?")) for column, kind in expected["schema"].items()}, types
    nullable = {field.name: field.nullable for field in table.schema}
    assert nullable == {column: kind.endswith("?") for column, kind in expected["schema"].items()}, nullable
    assert table.to_pydict() == expected["columns"], name
    header = json.loads(table.schema.metadata[b"srppo"])
    assert list(table.schema.metadata) == [b"srppo"] and header["contract"] == f"{name}@1", header
    assert all(rows == 2048 for rows in batches[:-1]) and batches[-1] <= 2048, batches
    print(f"ok      pyarrow reads {name}@1: {table.num_rows} rows in {len(batches)} batches")


def check_safetensors(directory: pathlib.Path) -> None:
    tensors = {
        "f64": numpy.linspace(-1, 1, 6).reshape(2, 3),
        "f32": numpy.arange(6, dtype=numpy.float32).reshape(3, 2) / 7,
        "f16": numpy.arange(5, dtype=numpy.float16) / 3,
        "i64": numpy.array([-(2**62), 5]),
        "i32": numpy.array([[1], [-2]], dtype=numpy.int32),
        "u8": numpy.arange(3, dtype=numpy.uint8),
        "bool": numpy.array([True, False]),
        "empty": numpy.zeros((0, 4), dtype=numpy.float32),
        "scalar": numpy.array(2.5, dtype=numpy.float32),
        "a.ü.😀": numpy.ones(1, dtype=numpy.float32),
    }
    safetensors.numpy.save_file(tensors, directory / "python.safetensors", metadata={"format": "pt"})
    ours = safetensors.numpy.load_file(directory / "ours.safetensors")
    expected = json.loads((directory / "tensors.json").read_text())
    assert ours.keys() == expected.keys(), ours.keys()
    for name, values in expected.items():
        assert ours[name].dtype == values["dtype"] and list(ours[name].shape) == values["shape"], name
        assert ours[name].ravel().tolist() == values["data"], name
    with safetensors.safe_open(directory / "ours.safetensors", "numpy") as file:
        assert file.metadata() == {"format": "pt"}
    print(f"ok      safetensors reads ours: {len(ours)} tensors")


def rewrite(directory: pathlib.Path) -> None:
    """Writes rollouts@1 again in pyarrow's layout: nullable children, one batch for all rows."""
    table = pyarrow.ipc.open_file(directory / "rollouts.arrow").read_all()
    kinds = {"list<item: int32 not null>": pyarrow.list_(pyarrow.int32()), "list<item: float not null>": pyarrow.list_(pyarrow.float32())}
    schema = pyarrow.schema(
        [pyarrow.field(field.name, kinds.get(str(field.type), field.type)) for field in table.schema],
        metadata=table.schema.metadata,
    )
    with pyarrow.ipc.new_file(directory / "pyarrow.arrow", schema) as writer:
        writer.write_table(pyarrow.Table.from_pydict(table.to_pydict(), schema=schema))


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    for name, expected in json.loads((directory / "contracts.json").read_text()).items():
        check_contract(directory, name, expected)
    check_safetensors(directory)
    rewrite(directory)


if __name__ == "__main__":
    main()
