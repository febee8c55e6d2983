#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ocsf.py FILE…: are these lines events of OCSF 1.8.0, and one chain?

ocsf-1.8.0.json says what the schema has.  Prints each kind of event that was seen, once; a line
that is wrong is told on standard error, and the exit status is 1.
"""
import hashlib
import json
import pathlib
import sys

SCHEMA = json.loads(pathlib.Path(__file__).with_name("ocsf-1.8.0.json").read_text())
TYPES = {"integer": int, "string": str, "boolean": bool, "any": dict}
YEAR_2000_MS = 946684800000
MOST_MS = 1 << 53


def unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def check_value(kind, value, where):
    if kind.endswith("[]"):
        if not isinstance(value, list) or not value:
            yield f"{where} is no list"
            return
        for i, item in enumerate(value):
            yield from check_value(kind[:-2], item, f"{where}[{i}]")
    elif kind == "timestamp":
        if type(value) is not int or not YEAR_2000_MS < value < MOST_MS:
            yield f"{where} is no time in milliseconds"
    elif kind in TYPES:
        if type(value) is not TYPES[kind]:
            yield f"{where} is not of type {kind}"
    else:
        yield from check_object(SCHEMA["objects"][kind], value, where)


def check_enums(enums, value, where):
    for key, enum in enums.items():
        if key not in value:
            continue
        caption = enum["values"].get(str(value[key]))
        if caption is None:
            yield f"{where}.{key} has no value {value[key]}"
        elif value.get(enum["sibling"]) != caption:
            yield f"{where}.{enum['sibling']} is not {caption}"


def check_object(rules, value, where):
    if not isinstance(value, dict):
        yield f"{where} is no object"
        return
    for key, kind in rules["attributes"].items():
        if key in value:
            yield from check_value(kind.rstrip("!"), value[key], f"{where}.{key}")
        elif kind.endswith("!"):
            yield f"{where} lacks {key}"
    for key in value:
        if key not in rules["attributes"]:
            yield f"{where} has no attribute {key}"
    if "one_of" in rules and not any(key in value for key in rules["one_of"]):
        yield f"{where} has none of {rules['one_of']}"
    yield from check_enums(rules.get("enums", {}), value, where)


def check_class(event):
    rules = SCHEMA["classes"].get(str(event.get("class_uid")))
    if rules is None:
        yield f"no class {event.get('class_uid')}"
        return
    activity, name = event.get("activity_id"), event.get("activity_name")
    caption = "Other" if activity == 99 else rules["activities"].get(str(activity))
    expected = {
        "class_name": rules["name"],
        "category_uid": rules["category"][0],
        "category_name": rules["category"][1],
        "type_uid": event["class_uid"] * 100 + activity,
        "type_name": f"{rules['name']}: {caption}",
        "severity": SCHEMA["severities"].get(str(event.get("severity_id"))),
    }
    for key, value in expected.items():
        if event.get(key) != value:
            yield f"{key} is {event.get(key)!r}, not {value!r}"
    if caption is None or (activity != 99 and name != caption):
        yield f"activity {activity} is not {name}"
    yield from check_object({**rules, "attributes": {**SCHEMA["base"], **rules["attributes"]}},
                            event, "event")
    if event.get("metadata", {}).get("version") != "1.8.0":
        yield "metadata.version is not 1.8.0"


def check_file(path, seen):
    prev, sequence = "0" * 64, 0
    for number, line in enumerate(pathlib.Path(path).read_bytes().splitlines(keepends=True), 1):
        try:
            event = json.loads(line, object_pairs_hook=unique)
        except ValueError as error:
            yield f"line {number}: {error}"
            return
        sequence += 1
        wrong = list(check_class(event))
        if event["metadata"]["sequence"] != sequence or event["unmapped"]["prev"] != prev:
            wrong.append("is not in the chain")
        yield from (f"line {number}: {why}" for why in wrong)
        prev = hashlib.sha256(line).hexdigest()
        kind = f"{event['class_uid']} {event['activity_name']} {event['severity']}"
        role = event["unmapped"].get("role", "")
        if f"{kind} {role}".strip() not in seen:
            seen.append(f"{kind} {role}".strip())


def main():
    seen, wrong = [], 0
    for path in sys.argv[1:]:
        for why in check_file(path, seen):
            print(f"{path}: {why}", file=sys.stderr)
            wrong = 1
    print("\n".join(seen))
    return wrong


if __name__ == "__main__":
    sys.exit(main())
