"""JSON schemas for llguidance, the grammar engine of this build, adapted so that it reads them as Ollama does.

Ollama uses llama.cpp's own converter (json-schema-to-grammar.cpp, grammars/README.md). It ignores keywords that it does not
know, allows only named properties unless the schema says otherwise, and limits white space. llguidance silently ignores a
whole schema with an unknown keyword, allows further properties, and allows endless white space; a small model may then write
nothing else.
"""

from typing import Any

# llguidance's docs/json_schema.md, "x-guidance"
AS_LLAMA_CPP: dict[str, Any] = {
    "lenient": True,
    "coerce_one_of": True,
    "whitespace_pattern": r"( |\n{1,2}[ \t]{0,20})?",
}

NAMED = ("properties", "patternProperties", "$defs", "definitions")
LISTED = ("anyOf", "oneOf", "prefixItems")  # not allOf: closed parts would exclude each other
SINGLE = ("items", "additionalProperties")


def for_llguidance(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema for llguidance."""
    return {**closed(schema), "x-guidance": AS_LLAMA_CPP}


def closed(schema: object) -> Any:
    """The schema with only the named properties allowed, wherever it does not say otherwise."""
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
