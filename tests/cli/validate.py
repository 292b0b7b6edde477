#!/usr/bin/python3
"""validate.py SCHEMA [FILE]: validates one JSON document (stdin without FILE) against a schema.

Beyond what a schema can say, every interval must hold its likely value. Prints one line per
breach; exit 0 valid, 1 not, 77 when the jsonschema module is absent."""
import json
import pathlib
import sys
import warnings

try:
    import jsonschema
except ImportError:
    print("the Python module jsonschema (Debian: python3-jsonschema) is not installed")
    sys.exit(77)
warnings.simplefilter("ignore", DeprecationWarning)


def unique(pairs):
    seen = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError(f"key {key!r} occurs twice")
        seen[key] = value
    return seen


def no_constant(word):
    raise ValueError(f"{word} is no JSON")


def load(text):
    return json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)


def intervals(value, path="$"):
    """Yields the paths of intervals that are upside down."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from intervals(item, f"{path}[{i}]")
    if isinstance(value, dict):
        likely = value.get("bytes", value.get("value"))
        if {"low", "high", "source"} <= value.keys() and likely is not None:
            if not value["low"] <= likely <= value["high"]:
                yield path
        for key, item in value.items():
            yield from intervals(item, f"{path}.{key}")


def main():
    schema_path = pathlib.Path(sys.argv[1]).resolve()
    schema = load(schema_path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    with open(sys.argv[2], "rb") if len(sys.argv) > 2 else sys.stdin.buffer as f:
        document = load(f.read().decode("utf-8"))
    resolver = jsonschema.RefResolver(schema_path.as_uri(), schema)
    validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
    bad = [f"{e.json_path}: {e.message[:300]}" for e in validator.iter_errors(document)]
    bad += [f"{path}: low <= likely <= high does not hold" for path in intervals(document)]
    print("\n".join(bad[:20]))
    return 1 if bad else 0


try:
    sys.exit(main())
except (ValueError, jsonschema.SchemaError) as e:
    print(str(e).splitlines()[0])
    sys.exit(1)
