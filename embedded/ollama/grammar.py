"""JSON schemas for llguidance, the grammar engine of this build, read as llama.cpp's own converter reads them.

That converter (json-schema-to-grammar.cpp, and grammars/README.md) is what Ollama's answers are bound by: it passes over
keywords that it does not know, allows no property that is not named unless told so, and bounds white space. llguidance
would drop a schema with an unknown keyword whole, in silence; allow any further property; and allow endless white space,
where a small model would write nothing else.
"""

from typing import Any

# llguidance's docs/json_schema.md, "x-guidance"
AS_LLAMA_CPP: dict[str, Any] = {
    "lenient": True,
    "coerce_one_of": True,
    "whitespace_pattern": r"( |\n{1,2}[ \t]{0,20})?",
}

NAMED = ("properties", "patternProperties", "$defs", "definitions")
LISTED = ("anyOf", "oneOf", "prefixItems")  # not allOf: closed parts would shut each other out
SINGLE = ("items", "additionalProperties")


def for_llguidance(schema: dict[str, Any]) -> dict[str, Any]:
    return {**closed(schema), "x-guidance": AS_LLAMA_CPP}


def closed(schema: object) -> Any:
    """The same, with no properties but the named ones, wherever the schema does not say otherwise."""
    if not isinstance(schema, dict):
        return schema
    parts = dict(schema)
    for key in NAMED:
        if isinstance(schema.get(key), dict):
            parts[key] = {name: closed(part) for name, part in schema[key].items()}
    for key in LISTED:
        if isinstance(schema.get(key), list):
            parts[key] = [closed(part) for part in schema[key]]
    for key in SINGLE:
        if key in schema:
            parts[key] = closed(schema[key])
    if "properties" in schema and "allOf" not in schema:
        parts.setdefault("additionalProperties", False)
    return parts
