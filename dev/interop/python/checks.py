"""One line per check; the first that fails ends the run."""

import importlib.metadata
import sys

QUESTION = "Is anything wrong in my cluster?"

count = 0
name = ""
binding = ""


def client(package: str, version: str) -> None:
    global name
    found = importlib.metadata.version(package)
    assert found == version, f"{package} {version} is meant, {found} is installed"
    name = f"{package} {version}"


def speaking(what: str) -> None:
    global binding
    binding = f", {what}"


def that(what: str, is_so: bool, seen: object = "") -> None:
    global count
    count += 1
    line = f"{'ok  ' if is_so else 'FAIL'} {name}{binding}: {what}"
    print(line, *([] if is_so else [repr(seen)[:2000]]), flush=True)
    if not is_so:
        sys.exit(1)


def done() -> None:
    print(f"{name}: {count} checks passed")
