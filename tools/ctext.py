# SPDX-License-Identifier: Apache-2.0
"""What the checks in this directory share: finding our C files and reading them as text."""
import pathlib
import re
import sys

FOLDERS = ("src", "bin", "include", "tests")

_TOKENS = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.S | re.X)


def root_from_args():
    """The tree to look at: the first argument, else the one this tool stands in."""
    if len(sys.argv) > 1:
        return pathlib.Path(sys.argv[1])
    return pathlib.Path(__file__).resolve().parent.parent


def files(root, *suffixes):
    """Our own files with one of these suffixes, in a stable order."""
    found = []
    for folder in FOLDERS:
        for suffix in suffixes:
            found += (root / folder).rglob("*" + suffix)
    return sorted(found)


def blank(text, strings=True):
    """The text with comments (and what is in strings) made blank; lines keep their numbers."""
    def wipe(match):
        if match.group("string") and not strings:
            return match.group(0)
        whole = match.group(0)
        if match.group("string"):
            return whole[0] + " " * (len(whole) - 2) + whole[-1]
        return re.sub(r"[^\n]", " ", whole)
    return _TOKENS.sub(wipe, text)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def closing(text, at):
    """Where the bracket that opens at text[at] closes, or the end of the text."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    close, depth = pairs[text[at]], 0
    for i in range(at, len(text)):
        if text[i] == text[at]:
            depth += 1
        elif text[i] == close:
            depth -= 1
            if depth == 0:
                return i
    return len(text)


def split_commas(text):
    """Splits at commas that are in no bracket."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return parts + [text[start:]]


def finish(name, problems):
    """Prints what was found and ends with the status that says so."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"{name}: {len(problems)} problem{'s' * (len(problems) != 1)}", file=sys.stderr)
    sys.exit(1 if problems else 0)
