"""What the oracles of this folder share: a check prints one line, and the driver counts the lines."""

import json
import sys
import traceback
from collections.abc import Callable


def report(passed: bool, name: str, detail: str) -> None:
    print(f"{'ok    ' if passed else 'FAILED'}  {name}: {detail}", flush=True)


def check(name: str, run: Callable[[], tuple[bool, str]]) -> None:
    """Reports what `run` finds; an exception is a check that failed."""
    try:
        passed, detail = run()
    except Exception as error:  # every kind is a finding
        traceback.print_exc()
        passed, detail = False, repr(error)
    report(passed, name, detail)


def within(error: float, bound: float) -> tuple[bool, str]:
    return bool(error <= bound), f"largest error {error:.2e}, bound {bound:.0e}"


def read_case() -> dict:
    """The JSON file that is this program's argument."""
    with open(sys.argv[1], encoding="utf-8") as file:
        return json.load(file)
