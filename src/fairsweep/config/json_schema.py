"""The JSON Schema of a config, made from its models: editors check and complete a YAML file by it."""

from __future__ import annotations

import json
from typing import Any, Literal, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_BOUNDS: tuple[Literal["ge", "gt", "le", "lt"], ...] = ("ge", "gt", "le", "lt")


class _AsWritten(GenerateJsonSchema):
    """Values as people write them in a file, without what a reader does not need."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """A decimal is written as a number, never as a text."""
        return self.float_schema(cast("core_schema.FloatSchema", schema))

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """A number, with whole bounds as whole numbers: 1 and 1.0 depend on the version of pydantic."""
        bounds = {key: float(schema[key]) for key in _BOUNDS if schema.get(key) is not None}
        plain = {key: int(bound) if bound.is_integer() else bound for key, bound in bounds.items()}
        return super().float_schema(cast("core_schema.FloatSchema", {"type": "float", **plain}))

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A section, without the name of its class."""
        found = super().model_schema(schema)
        if found.get("title") == schema["cls"].__name__:
            del found["title"]
        return found

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """No default where the key can be left out."""
        found = super().default_schema(schema)
        if found.get("default", ...) is None:
            del found["default"]
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401  (whatever pydantic has for a field)
        """The key itself is title enough."""
        return False


def of(kind: type[BaseModel]) -> dict[str, Any]:
    """The schema (2020-12) of a config: every file that the checks accept is valid, and some that they refuse."""
    found = kind.model_json_schema(by_alias=True, schema_generator=_AsWritten, mode="validation")
    return {"$schema": DIALECT, **found}


def text(kind: type[BaseModel]) -> str:
    """The schema as a file."""
    return json.dumps(of(kind), indent=2, ensure_ascii=False) + "\n"
