"""Write the Python client's ``models.py`` from the OpenAPI document: ``python -m clients.python_models``.

The models are TypedDicts, so an answer is the JSON that came: nothing is parsed, and a field that a newer service adds
is there without a new client.
"""

from __future__ import annotations

import keyword
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clients.document import REF, covered

Schema = Mapping[str, Any]

TARGET = Path(__file__).parent / "python" / "message_scheduler_client" / "models.py"
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_LENGTH = "^([0-9]{1,3}d)?"
"""What the pattern of a length of time begins with."""
_SPLIT = ("MessageIn", "ScheduleIn", "SchedulePut")
"""Models whose ``message`` is an argument of its own, and all the rest keyword arguments."""
_WIDTH = 120
_HEAD = '''"""The bodies of requests and answers.  Generated from the service's OpenAPI document: do not edit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal, NotRequired, TypedDict

Json = Any
"""Any JSON value."""
Moment = str | float | datetime
"""A moment as the service reads it, or a datetime with a tzinfo."""
Delay = str | float | timedelta
"""A length of time as the service reads it (seconds, ``1h30m``, ``PT5M``), or a timedelta."""
'''


class _Models:
    """The classes that the covered operations need, each after those that it refers to."""

    def __init__(self, whole: Schema) -> None:
        self._schemas: Schema = whole["components"]["schemas"]
        self.classes: dict[str, str] = {}
        for methods in whole["paths"].values():
            for operation in methods.values():
                self._of_operation(operation)

    def _of_operation(self, operation: Schema) -> None:
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        answers = operation["responses"].values()
        for holder in [body, *(answer.get("content", {}).get("application/json") for answer in answers)]:
            if holder:
                self._type(holder["schema"])
        in_query = {p["name"]: p["schema"] for p in operation.get("parameters", ()) if p["in"] == "query"}
        if in_query:
            name = operation["operationId"].title().replace("_", "") + "Query"
            self._class(name, {"properties": in_query, "description": f"Parameters of {operation['operationId']}."})

    def _type(self, schema: Schema) -> str:
        if schema.get("nullable") and "null" not in str(schema.get("oneOf")):
            return f"{self._type({**schema, 'nullable': False})} | None"
        if "$ref" in schema:
            return self._named(schema["$ref"].removeprefix(REF))
        if "enum" in schema:
            return f"Literal[{', '.join(repr(value).replace(chr(39), chr(34)) for value in schema['enum'] if value)}]"
        if "oneOf" in schema:
            return self._one_of(schema)
        if schema.get("type") == "array":
            return f"list[{self._type(schema['items'])}]"
        if schema.get("type") == "object":
            if "properties" in schema:
                return self._inline(schema)
            values = schema.get("additionalProperties")
            return f"dict[str, {self._type(values) if isinstance(values, dict) else 'Json'}]"
        return _PLAIN.get(schema.get("type", ""), "Json")

    def _one_of(self, schema: Schema) -> str:
        null = " | None" if any(choice.get("nullable") for choice in schema["oneOf"]) else ""
        if any(choice.get("pattern", "").startswith(_LENGTH) for choice in schema["oneOf"]):
            return f"Delay{null}"
        if any(choice.get("format") == "date-time" for choice in schema["oneOf"]):
            return f"Moment{null}"
        kinds = dict.fromkeys(self._type({**choice, "nullable": False}) for choice in schema["oneOf"])
        return " | ".join(kinds) + null

    def _named(self, name: str) -> str:
        if _short(name) not in self.classes:
            self._class(_short(name), self._schemas[name])
        return _short(name)

    def _inline(self, schema: Schema) -> str:
        """The class of a model that moved into the place where it is used, under its own title."""
        title = schema["title"]
        if _short(title) not in self.classes:
            self._class(_short(title), self._schemas.get(title, schema))
        return _short(title)

    def _class(self, name: str, schema: Schema) -> None:
        self.classes[name] = ""  # a model that refers to itself ends here
        required, properties = set(schema.get("required", ())), schema["properties"]
        described = schema.get("description", "")
        base, own = "TypedDict", properties
        if name in _SPLIT:
            base, own = f"{name.removesuffix('In')}Options", {"message": properties["message"]}
            options = {field: of for field, of in properties.items() if field != "message"}
            self._class(base, {"properties": options, "description": f"{name} without the message."})
        lines = [f"class {name}({base}):", *_text(described), ""]
        for field, of_field in own.items():
            type_ = self._type(of_field)
            written = f"{field}_" if keyword.iskeyword(field) else field
            lines.append(f"    {written}: {type_ if field in required else f'NotRequired[{type_}]'}")
            lines += _text(of_field.get("description", ""))
        # Moved behind the classes that it needed.
        del self.classes[name]
        self.classes[name] = "\n".join(lines)


def _short(name: str) -> str:
    return name.removesuffix("Out")


def _text(text: str) -> Iterator[str]:
    if text:
        text = re.sub(r"\s+", " ", text).strip()
        lines = textwrap.wrap(f'"""{text}', _WIDTH - 7)
        yield from (f"    {line}" for line in lines[:-1])
        yield f'    {lines[-1]}"""'


def generated() -> str:
    """The text of ``models.py``."""
    classes = _Models(covered()).classes
    return "\n\n\n".join([_HEAD.rstrip(), *classes.values()]) + "\n"


if __name__ == "__main__":
    TARGET.write_text(generated())
    sys.stdout.write(f"{TARGET} written\n")
