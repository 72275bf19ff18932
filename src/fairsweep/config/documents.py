"""Read YAML 1.2 (core schema) from untrusted text: plain data only, each value with its line.

Only PyYAML's parser is used, event by event: its YAML 1.1 resolvers would read `no` as false, `1_000` as a
number and `2010-01-01` as a date, and would keep the last of two equal keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

from fairsweep.config.faults import ConfigPath, Fault, printable
from fairsweep.errors import Problem, UsageError, quoted

LARGEST_DOCUMENT = 256_000
# Keys of mappings and items of lists, all together.
MOST_ENTRIES = 2_000
DEEPEST_NESTING = 20
LONGEST_NUMBER = 60

_SHORTER = "name groups and cutoffs by rules rather than by lists"
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOLEAN = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?([0-9]+))?")
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NOT_A_NUMBER = re.compile(r"\.(?:nan|NaN|NAN)")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Spelled(int):
    """A whole number that was written in another way than its digits: `01`, `+1`, `0x1F`."""

    text: str

    def __new__(cls, value: int, text: str) -> Spelled:
        """Keep the number and how it was written."""
        number = super().__new__(cls, value)
        number.text = text
        return number


@dataclass(frozen=True)
class Document:
    """A YAML document as plain data: dict, list, str, int, `Decimal` (as written), bool and None.

    Attributes:
        value: the data.
        lines: the line of each path, counted from 1.
        faults: keys that stand twice.
    """

    value: Any
    lines: dict[ConfigPath, int]
    faults: tuple[Fault, ...]


def read(content: bytes | str, source: str) -> Document:
    """Read one document.

    Args:
        content: the text, or its bytes in UTF-8 with or without a byte order mark.
        source: what people call it, for errors.

    Raises:
        UsageError: where it is not one document of plain data, with line and column.
    """
    refuse_large(len(content), source)
    text = _decoded(content, source)
    builder = _Builder(source)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}: line {mark.line + 1}, column {mark.column + 1}" if mark else source
        found = f"not YAML ({printable(error.problem or 'broken')})"
        step = "correct the line; a text with `:`, `#`, `{`, `[`, a backtick or `@` needs quotes"
        raise UsageError(Problem(place, found, "", step)) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        step = "remove control characters and broken escapes"
        raise UsageError(Problem(source, "not YAML (a character that YAML forbids)", "", step)) from None
    return Document(builder.value, builder.lines, tuple(builder.faults))


def refuse_large(size: int, source: str) -> None:
    """Refuse a document by its size, before it is read.

    Raises:
        UsageError: where it has more bytes than a config may have.
    """
    if size > LARGEST_DOCUMENT:
        allowed = f"at most {LARGEST_DOCUMENT:,} bytes"
        raise UsageError(Problem(source, f"too large: {size:,} bytes", allowed, _SHORTER))


def refuse_many(tree: object, source: str) -> None:
    """Refuse plain data of too many entries before anything of it is checked.

    Raises:
        UsageError: where it has more keys and items of lists, at every depth, than a config may have.
    """
    entries, parts = 0, [tree]
    while parts:
        part = parts.pop()
        inner = list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else []
        entries += len(inner)
        parts.extend(inner)
    if entries > MOST_ENTRIES:
        found = f"too large: {entries:,} keys and items of lists"
        raise UsageError(Problem(source, found, f"at most {MOST_ENTRIES:,}", _SHORTER))


def _decoded(content: bytes | str, source: str) -> str:
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            Problem(source, f"not UTF-8 at byte {error.start + 1}", "UTF-8 text", "save it as UTF-8")
        ) from None


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


@dataclass
class _Collection:
    """A list or mapping that is being read, and its path."""

    path: ConfigPath
    content: dict[str, Any] | list[Any]
    key: str | None = None
    repeated: bool = False


@dataclass
class _Builder:
    """Builds the data from parser events, without recursion, so that no nesting can exhaust the stack."""

    source: str
    value: Any = None
    lines: dict[ConfigPath, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    documents: int = 0
    entries: int = 0
    open: list[_Collection] = field(default_factory=list)

    def take(self, event: yaml.Event) -> None:
        """Add one event."""
        self._refuse_beyond_plain_data(event)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.open.pop()

    def _refuse_beyond_plain_data(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._error(event, "a second document", "one document", "remove `---` and what follows")
        elif isinstance(event, yaml.AliasEvent):
            raise self._error(event, "an alias (`*name`)", "plain values", "write the value out")
        elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            raise self._error(event, "an anchor (`&name`)", "plain values", "remove it")
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            raise self._error(event, "a tag (`!name`)", "plain values", "quote a text that begins with `!`")

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        if len(self.open) >= DEEPEST_NESTING:
            raise self._error(event, "nested too deeply", f"at most {DEEPEST_NESTING} levels", "flatten it")
        content: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        path = self._place(event, content)
        self.open.append(_Collection(path, content))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        around = self.open[-1] if self.open else None
        if around is not None and isinstance(around.content, dict) and around.key is None:
            self._key(event, around, around.content)
        else:
            self._place(event, self._resolved(event))

    def _key(self, event: yaml.ScalarEvent, around: _Collection, content: dict[str, Any]) -> None:
        if event.value == "<<" and event.style is None:
            raise self._error(event, "a merge key (`<<`)", "plain keys", "write the keys out")
        self._checked_text(event)
        around.key, around.repeated = event.value, event.value in content
        if around.repeated:
            path = (*around.path, event.value)
            first = self.lines[path]
            found = f"written again in line {_line(event)}"
            self.faults.append(Fault(path, found, "each key once", f"remove one (the first is in line {first})"))

    def _place(self, event: yaml.Event, value: object) -> ConfigPath:
        """Put a value where it belongs, and return its path."""
        if not self.open:
            self.value = value
            return ()
        around = self.open[-1]
        self.entries += 1
        if self.entries > MOST_ENTRIES:
            found = f"key or item of a list number {self.entries:,}"
            raise self._error(event, found, f"at most {MOST_ENTRIES:,} in a config", _SHORTER)
        if isinstance(around.content, list):
            path: ConfigPath = (*around.path, len(around.content))
            around.content.append(value)
        elif around.key is None:
            raise self._error(event, "a key that is a list or a mapping", "keys that are text", "use a text")
        else:
            path = (*around.path, around.key)
            if not around.repeated:
                around.content[around.key] = value
            around.key = None
        self.lines.setdefault(path, _line(event))
        return path

    def _resolved(self, event: yaml.ScalarEvent) -> object:
        self._checked_text(event)
        text: str = event.value
        if event.style is not None:
            return text
        if _NULL.fullmatch(text):
            return None
        if found := _BOOLEAN.fullmatch(text):
            return bool(found.group(1))
        if _BASED.fullmatch(text):
            self._checked_number(event, "0")
            return Spelled(int(text, 0), text)
        if found := _DECIMAL.fullmatch(text):
            self._checked_number(event, found.group(1) or "0")
            if not _INTEGER.fullmatch(text):
                return Decimal(text)
            return int(text) if str(int(text)) == text else Spelled(int(text), text)
        if found := _INFINITE.fullmatch(text):
            return Decimal(f"{found.group(1)}Infinity")
        return Decimal("NaN") if _NOT_A_NUMBER.fullmatch(text) else text

    def _checked_number(self, event: yaml.ScalarEvent, exponent: str) -> None:
        if len(event.value) > LONGEST_NUMBER or len(exponent) > 4:
            allowed = f"at most {LONGEST_NUMBER} characters and 4 digits of exponent"
            raise self._error(event, "a number that is too long", allowed, "shorten it, or quote it")

    def _checked_text(self, event: yaml.ScalarEvent) -> None:
        if _CONTROL.search(event.value):
            found = f"{quoted(printable(ascii(event.value)))} with a control character"
            raise self._error(event, found, "printable text", "remove it")

    def _error(self, event: yaml.Event, found: str, allowed: str, next_step: str) -> UsageError:
        mark = event.start_mark
        place = f"{self.source}: line {mark.line + 1}, column {mark.column + 1}" if mark else self.source
        return UsageError(Problem(place, found, allowed, next_step))
