#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schema.py SCHEMA [KEY] < JSON: hold each line of JSON, or what it has under KEY, to a schema.

Says what does not fit, and that a changed document would not have fitted, either.
"""
import copy
import json
import sys

import jsonschema


def changed(value):
    """The same with one word that no schema of ours knows, once for each place of a word."""
    rows = value if isinstance(value, list) else [value]
    for at, row in enumerate(rows):
        for key in row:
            if key.lower() in ("state", "wanted", "needed"):
                other = copy.deepcopy(rows)
                other[at][key] = "perhaps"
                yield other if isinstance(value, list) else other[0]
        other = copy.deepcopy(rows)
        other[at]["further"] = ""
        yield other if isinstance(value, list) else other[0]


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    seen = 0
    for line in sys.stdin:
        value = json.loads(line)
        if isinstance(value, list) and len(sys.argv) > 2:
            value = value[0]
        if len(sys.argv) > 2:
            value = value.get(sys.argv[2])
            if value is None:
                continue
        for error in validator.iter_errors(value):
            sys.exit(f"{error.json_path}: {error.message}")
        for other in changed(value):
            if validator.is_valid(other):
                sys.exit(f"the schema takes {other}")
        seen += 1
    if seen == 0:
        sys.exit("there was nothing to hold to the schema")


main()
