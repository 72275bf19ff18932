"""Tables of a config's keys, rendered from its JSON Schema into pages whose other text is kept by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairsweep.config.scalars import in_words

_TABLE = re.compile(r"(<!-- keys of (\w+) -->\n).*?(<!-- end of keys -->)", re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_HEAD = "| key | meaning | value | default |\n|---|---|---|---|\n"
_PLURAL = re.compile(r"^an? (\[?(?:(?:whole|finite|column|group) )?\w+)")
_BOUNDS = {"minimum": "ge", "exclusiveMinimum": "gt", "maximum": "le", "exclusiveMaximum": "lt"}

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class KeyTables:
    """The tables of all pages.

    Attributes:
        sections: the schema of each section, by the name of its model.
        links: where a section has a table of its own; the keys of any other stand where it is used.
    """

    sections: Mapping[str, Schema]
    links: Mapping[str, str]

    def rendered(self, page: str, text: str) -> str:
        """A page, with a table between each `<!-- keys of Model -->` and `<!-- end of keys -->`.

        Args:
            page: the name of its file.
            text: its text so far.
        """
        whole = _TABLE.sub(lambda found: f"{found[1]}{self._table(found[2])}{found[3]}", text)
        return whole.replace(f"]({page}#", "](#")

    def _table(self, name: str) -> str:
        return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in self._rows(self.sections[name], ""))

    def _rows(self, section: Schema, above: str) -> Iterator[tuple[str, str, str, str]]:
        required = {*section.get("required", ()), *section.get("else", {}).get("required", ())}
        for key, schema in section["properties"].items():
            inner = _sections_in(schema)
            # Pydantic leaves out what is said of a key in the words of its section.
            meaning = schema.get("description") or self.sections[next(iter(inner))]["description"]
            default = "required" if key in required else _default(schema)
            yield f"`{above}{key}`", meaning, ", or ".join(self._values(schema)), default
            for name, brackets in inner.items():
                if name not in self.links:
                    yield from self._rows(self.sections[name], f"{above}{key}{brackets}.")

    def _values(self, schema: Schema) -> list[str]:
        """What a key takes, in words: the ways of writing it."""
        if "title" in schema:
            return [schema["title"]]
        if "$ref" in schema:
            name = _name(schema["$ref"])
            return [f"a [mapping]({self.links[name]})" if name in self.links else "a mapping"]
        if kinds := schema.get("anyOf", schema.get("oneOf")):
            words = [word for one in kinds if one.get("type") != "null" for word in self._values(one)]
            return list(dict.fromkeys(words))
        if "enum" in schema:
            return [", ".join(f"`{word}`" for word in schema["enum"])]
        return [str(schema["const"]) if "const" in schema else self._value_of_type(schema)]

    def _value_of_type(self, schema: Schema) -> str:
        match schema["type"]:
            case "array" if "prefixItems" in schema:
                return f"a list of {len(schema['prefixItems'])} {self._several(schema['prefixItems'][0])}"
            case "array":
                least = f" (at least {schema['minItems']})" if schema.get("minItems", 1) > 1 else ""
                return f"a list of {self._several(schema['items'])}{least}"
            case "object":
                return f"a mapping of names to {self._several(schema['additionalProperties'])}"
            case "integer" | "number" as kind:
                bounds = {key: schema[name] for name, key in _BOUNDS.items() if name in schema}
                return in_words("whole number" if kind == "integer" else "number", bounds)
            case _:
                return "a text"

    def _several(self, schema: Schema) -> str:
        """The plural of what a key takes."""
        return " or ".join(_PLURAL.sub(r"\1s", words) for words in self._values(schema))


def tables_of(schemas: Mapping[str, Schema], pages: Mapping[str, str]) -> KeyTables:
    """The tables that pages ask for.

    Args:
        schemas: the JSON Schema of each config, by the name of its model.
        pages: the text of each page, by its file's name in `docs`.
    """
    sections: dict[str, Schema] = {}
    for name, schema in schemas.items():
        sections |= {name: schema, **schema.get("$defs", {})}
    links = {}
    for page, text in pages.items():
        for found in _TABLE.finditer(text):
            links[found[2]] = f"{page}#{_anchor(_HEADING.findall(text[: found.start()])[-1])}"
    return KeyTables(sections, links)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _default(schema: Schema) -> str:
    if "default" not in schema or schema["default"] == []:
        return ""
    value = schema["default"]
    shown = value if isinstance(value, str) else json.dumps(value)
    return f"`{shown}`" if not isinstance(value, int | float) else f"{value:,}"


def _sections_in(schema: Any) -> dict[str, str]:  # noqa: ANN401  (any part of a schema)
    """The sections that a key holds, each with `[]` where it is an item of a list."""
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if not isinstance(schema, Mapping):
        return {}
    found = {_name(schema["$ref"]): ""} if "$ref" in schema else {}
    for key, part in schema.items():
        found |= {name: "[]" if key == "items" else brackets for name, brackets in _sections_in(part).items()}
    return found


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]
