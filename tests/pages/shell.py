"""Commands of shell blocks: taken apart, and held against the programs that they call."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import PurePath
from unittest import mock

from packaging.requirements import InvalidRequirement, Requirement

from cbmcube.__main__ import _parser
from tests.pages.fences import ROOT, Block

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = set(PROJECT["project"]["optional-dependencies"])
GROUPS = set(PROJECT["dependency-groups"])

TRUSTED = {
    ".": "the shell's own",
    "cd": "the shell's own",
    "argo": "needs a Kubernetes with Argo; what it submits is checked where it is written",
    "kubectl": "needs a Kubernetes",
}
"""Commands that are not looked into, and why."""

_SCHEDULE = re.compile(r"^(?:[\d*/,-]+ ){5}")
_OPERATOR = re.compile(r"[;&|]+")


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command, also of those that another command runs."""
    for line in text.replace("\\\n", " ").splitlines():
        words: list[str] = []
        lexer = shlex.shlex(_SCHEDULE.sub("", line), posix=True, punctuation_chars=True)
        lexer.whitespace_split, lexer.commenters = True, "#"
        found = iter(lexer)
        for word in found:
            if _OPERATOR.fullmatch(word):
                yield from _inner(words)
                words = []
            elif re.match(r"[<>]", word):
                if word == ">&" and words and words[-1].isdigit():
                    words.pop()  # as in 2>&1
                next(found)
            else:
                words.append(word)
        yield from _inner(words)


def _inner(words: list[str]) -> Iterator[list[str]]:
    if words[:1] == ["flock"]:
        yield from _inner(words[3:])  # flock -n FILE COMMAND
    elif words[:2] == ["sh", "-c"]:
        yield from commands(words[2])
    elif words:
        yield [PurePath(words[0]).name or words[0], *words[1:]]


def problems(block: Block) -> list[str]:
    """Return what is wrong with a shell block; nothing of it is run."""
    text = "\n".join(_SCHEDULE.sub("", line) for line in block.text.splitlines())
    checked = subprocess.run(
        ["/bin/bash", "-n"], input=text, text=True, capture_output=True, check=False
    )
    if checked.returncode:
        return [f"{block.place}: {checked.stderr.strip()}"]
    found = [(words, _problem(words)) for words in commands(block.text)]
    return [f"{block.place}: {' '.join(words)}: {wrong}" for words, wrong in found if wrong]


def _problem(words: list[str]) -> str:
    program, *arguments = words
    if program == "cbmcube":
        return _parsed(lambda: _parser().parse_args(arguments))
    if program == "pip":
        return _pip(arguments)
    if program in {"python", "python3"}:
        return _python(arguments)
    return "" if program in TRUSTED else "nobody knows how to check this"


def _parsed(parse: object) -> str:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parse()
    except SystemExit:
        return said.getvalue().strip().splitlines()[-1]
    return ""


def _python(arguments: list[str]) -> str:
    if arguments[:1] != ["-m"]:
        return "not a module"
    name, rest = arguments[1], arguments[2:]
    if name in {"pytest", "venv"}:
        return ""
    try:
        module = importlib.import_module(f"{name}.__main__" if "faults" in name else name)
    except ImportError as error:
        return str(error)
    with mock.patch.object(sys, "argv", [name, *rest]):
        return _parsed(module._arguments)


def _pip(arguments: list[str]) -> str:
    if arguments[:1] != ["install"]:
        return "pip install is all that is known"
    words = iter(arguments[1:])
    for word in words:
        if word == "--group":
            group = next(words)
            if group not in GROUPS:
                return f"no dependency group {group}"
        elif word not in {"-e", "--quiet", "--upgrade"} and (wrong := _requirement(word)):
            return wrong
    return ""


def _requirement(word: str) -> str:
    try:
        asked = Requirement(re.sub(r"^\.(?=\[|$)", "cbmcube", word))
    except InvalidRequirement as error:
        return str(error)
    unknown = sorted(asked.extras - EXTRAS) if asked.name == "cbmcube" else []
    return f"no extra {', '.join(unknown)}" if unknown else ""
