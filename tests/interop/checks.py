"""Shared by the checks of this folder: every check prints one line, and interop.ts counts the lines."""

import json
import sys
import traceback
from collections.abc import Callable


def report(passed: bool, name: str, detail: str) -> None:
    print(f"{'ok    ' if passed else 'FAILED'}  {name}: {detail}", flush=True)


def check(name: str, run: Callable[[], tuple[bool, str]]) -> None:
    """Reports the result of `run`; an exception is a failed check."""
    try:
        passed, detail = run()
    except Exception as error:  # of any class
        traceback.print_exc()
        passed, detail = False, repr(error)
    report(passed, name, detail)


def within(error: float, bound: float) -> tuple[bool, str]:
    return bool(error <= bound), f"largest error {error:.2e}, bound {bound:.0e}"


def read_case() -> dict:
    """Returns the JSON file that is this program's argument."""
    with open(sys.argv[1], encoding="utf-8") as file:
        return json.load(file)
