"""The queries that are accepted: one SELECT over result tables and views, of known nodes. All others are refused.

A text is parsed, its tree is checked node by node, and the engine runs a new text that is written from the tree. So no
text is run that this parser and the engine's would read differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairsweep.errors import Problem, UsageError, did_you_mean, quoted
from fairsweep.stores.problems import ONE_QUERY, QUERY_HELP
from fairsweep.stores.query_functions import (
    FUNCTIONS,
    ROWS_OF_ARRAYS,
    SESSION_NAMES,
    UNITS,
    WITH_UNITS,
    Dialect,
)
from fairsweep.tables.catalogue import RESTRICTED_TABLES, TABLES
from fairsweep.tables.views import VIEWS

if TYPE_CHECKING:
    from sqlglot import Token, exp

LONGEST_QUERY = 100_000
"""Characters; what people and programs write has a few thousand at most."""
DEEPEST_NESTING = 100
"""Brackets within brackets; Python itself allows less in some queries."""
DEEPEST_TREE = 900
"""Parts within parts, as the terms of a long sum are; DuckDB allows 1,000, and Spark's stack holds about as many."""
RELATIONS = tuple(name for name in (*TABLES, *VIEWS) if name not in RESTRICTED_TABLES)
"""The relations that a query can name: result tables that are not restricted, and views."""

_BEGINNINGS = frozenset({"SELECT", "WITH", "FROM", "VALUES", "TABLE", "PIVOT", "UNPIVOT", "("})
_OPENING, _CLOSING = frozenset({"(", "[", "{"}), frozenset({")", "]", "}"})
# Words of the grammar itself, which are written unchanged; users' names and texts are put in quotes.
_WORDS = re.compile(r"[A-Za-z_]+( [A-Za-z_]+)*")
_NUMBER = re.compile(r"[0-9]*\.?[0-9]*([eE][+-]?[0-9]+)?")
_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CAPITALS = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}
_OF_TABLES = frozenset({"this", "alias", "joins", "pivots", "laterals"})
_FUNCTIONS_HELP = "docs/sql.md lists the functions; a function of the other engine may have another name here"
_READ_DIRECTLY = "users with access to its folder or a grant on the table read it there with any Delta reader"


@dataclass(frozen=True)
class Query:
    """A query that may be run.

    Attributes:
        text: what an engine runs, written from the checked tree.
        relations: the result tables and views that it names.
    """

    text: str
    relations: tuple[str, ...]


def checked(text: str, dialect: Dialect) -> Query:
    """Check a query without running any part of it.

    Args:
        text: the query.
        dialect: the dialect of the engine that will run it.

    Raises:
        UsageError: unless it is one query over result tables and views, of known functions and forms.
    """
    from sqlglot.errors import SqlglotError

    if len(text) > LONGEST_QUERY:
        raise _refused(f"{len(text):,} characters long", f"write it in at most {LONGEST_QUERY:,} characters")
    if _UNREADABLE.search(text) or any("\ud800" <= character <= "\udfff" for character in text):
        raise _refused("not text: it has control characters or is not UTF-8", "remove them")
    try:
        query = _written(text, dialect)
        # A text that is read back as anything else was not written as it should be.
        if _written(query.text, dialect).relations != query.relations:
            raise _refused("it reads differently when it is written anew", "simplify it")
    except RecursionError:
        raise _too_deep() from None
    except SqlglotError as error:
        raise _refused(_position(error), QUERY_HELP) from None
    return query


def _written(text: str, dialect: Dialect) -> Query:
    from sqlglot.errors import ErrorLevel

    from fairsweep.stores.query_dialects import GRAMMARS

    tree = _parsed(text, dialect)
    relations = _Check(tree, dialect).relations()
    written = GRAMMARS[dialect]().generate(
        tree, copy=False, identify=True, comments=False, normalize_functions=False, unsupported_level=ErrorLevel.RAISE
    )
    if "${" in written and dialect == "spark":  # which Spark would expand
        raise _refused("`${` in a name", "use another name")
    return Query(written, relations)


def _parsed(text: str, dialect: Dialect) -> exp.Expr:
    """The tree of the one query that a text holds."""
    from sqlglot import exp
    from sqlglot.errors import ErrorLevel

    from fairsweep.stores.query_dialects import GRAMMARS

    grammar = GRAMMARS[dialect]()
    statements = list(_statements(grammar.tokenize(text)))
    if len(statements) != 1:
        found = f"{len(statements)} statements"
        raise UsageError(Problem("query", found, ONE_QUERY, "separate them" if statements else QUERY_HELP))
    [tokens] = statements
    first = tokens[0].text.upper()
    if first not in _BEGINNINGS:
        raise UsageError(Problem("query", f"refused: {quoted(tokens[0].text.split()[0])}", ONE_QUERY, QUERY_HELP))
    _refuse_deep_nesting(tokens)
    if first == "TABLE":  # which not every grammar knows
        tokens = [*grammar.tokenize("FROM"), *tokens[1:]]
    [tree] = grammar.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text)
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Subquery | exp.Values | exp.Pivot):
        raise UsageError(Problem("query", "refused: not a query", ONE_QUERY, QUERY_HELP))
    return tree


def _statements(tokens: list[Token]) -> Iterator[list[Token]]:
    """The tokens of each statement; what only separates them is none."""
    from sqlglot import TokenType

    statement: list[Token] = []
    for token in tokens:
        if token.token_type == TokenType.PIPE_GT:
            raise _refused("the pipe `|>`", "write SELECT ... FROM ... instead")
        if token.token_type != TokenType.SEMICOLON:
            statement.append(token)
        elif statement:
            yield statement
            statement = []
    if statement:
        yield statement


def _refuse_deep_nesting(tokens: list[Token]) -> None:
    depth = 0
    for token in tokens:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth > DEEPEST_NESTING:
            raise _too_deep()


class _Check:
    """One walk over a tree, which refuses the first part that is not known."""

    def __init__(self, tree: exp.Expr, dialect: Dialect) -> None:
        from sqlglot import exp

        from fairsweep.stores.query_dialects import NODES

        self._tree, self._dialect, self._nodes = tree, dialect, NODES[dialect]
        self._rules: Mapping[type[exp.Expr], Any] = {
            exp.Anonymous: self._function,
            exp.Column: self._column,
            exp.CTE: self._common_table,
            exp.DataType: self._type,
            exp.Dot: self._part,
            exp.Identifier: self._identifier,
            exp.Lateral: self._lateral,
            exp.Literal: self._literal,
            exp.Table: self._table,
        }
        self._found: set[str] = set()

    def relations(self) -> tuple[str, ...]:
        """Every result table and view that the tree names; it has been checked then.

        Raises:
            UsageError: for the first node that a query may not contain.
        """
        depths: dict[int, int] = {}
        for node in list(self._tree.walk(bfs=False)):
            depths[id(node)] = depths.get(id(node.parent), 0) + 1
            if depths[id(node)] > DEEPEST_TREE:
                raise _too_deep()
            if type(node) not in self._nodes:
                raise self._unknown(node)
            self._rules.get(type(node), self._words)(node)
        return tuple(name for name in RELATIONS if name in self._found)

    def _words(self, node: exp.Expr) -> None:
        """Other contents of a node are written unchanged, so that they may only be words of the grammar."""
        for value in node.args.values():
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, str) and part and not _WORDS.fullmatch(part):
                    raise _refused(quoted(part), QUERY_HELP)

    def _function(self, node: exp.Expr) -> None:
        from sqlglot import exp

        name = _small(node.name)
        if name not in FUNCTIONS[self._dialect]:
            raise _refused(f"function {quoted(node.name)}, which queries may not call", _FUNCTIONS_HELP)
        if name in WITH_UNITS and len(node.expressions) == 3:
            unit = node.expressions[0]
            if isinstance(unit, exp.Column) and not unit.table and _small(unit.name) in UNITS:
                unit.replace(exp.Var(this=unit.name.upper()))

    def _column(self, node: exp.Expr) -> None:
        if node.args.get("db") or node.args.get("catalog"):
            raise _refused(f"column {quoted(node.name)} with more than a table before it", "name the table alone")
        self._words(node)

    def _common_table(self, node: exp.Expr) -> None:
        from sqlglot import exp

        if not isinstance(node.this, exp.Query | exp.Pivot):
            raise _refused(f"WITH {quoted(node.alias)}, which is no query", "write WITH name AS (SELECT ...)")
        if _small(node.alias) in {*TABLES, *VIEWS}:
            raise _refused(f"WITH {quoted(node.alias)}, the name of a result table or view", "give it another name")
        self._words(node)

    def _type(self, node: exp.Expr) -> None:
        from fairsweep.stores.query_dialects import TYPES

        if node.this not in TYPES or node.args.get("kind"):
            raise _refused("a type that values are not cast to here", "cast to numbers, text, dates or lists of them")
        self._words(node)

    def _part(self, node: exp.Expr) -> None:
        from sqlglot import exp

        # A name before a function would be its schema, or its first argument.
        if not isinstance(node.expression, exp.Identifier) or isinstance(node.this, exp.Identifier):
            raise _refused(f"{quoted(node.expression.name)} after a dot", "write function(argument)")

    def _identifier(self, node: exp.Expr) -> None:
        name = str(node.this)
        # As Java compares: some letters outside of ASCII are others' small or capital ones.
        if name.upper().casefold() in SESSION_NAMES or _UNREADABLE.search(name):
            raise _refused(f"name {quoted(name)}, which means the session here", "use another name")
        node.set("quoted", True)

    def _lateral(self, node: exp.Expr) -> None:
        from sqlglot import exp

        rows = node.this
        known = isinstance(rows, exp.Subquery | exp.Unnest)
        if not known and not (isinstance(rows, exp.Anonymous) and _small(rows.name) in ROWS_OF_ARRAYS):
            raise _refused("LATERAL beside something else than `explode` or a query", QUERY_HELP)
        self._words(node)

    def _literal(self, node: exp.Expr) -> None:
        if not node.is_string and not _NUMBER.fullmatch(str(node.this)):
            raise _refused(quoted(node.this), QUERY_HELP)

    def _table(self, node: exp.Expr) -> None:
        from sqlglot import exp

        if not isinstance(node.this, exp.Identifier):
            name = node.this.name or node.this.key
            raise _refused(f"{quoted(name)} as a table", f"query one of {', '.join(RELATIONS)}")
        if node.args.get("db") or node.args.get("catalog"):
            full = ".".join(part.name for part in (node.args.get("catalog"), node.args.get("db"), node.this) if part)
            raise _refused(f"table {quoted(full)}", "name result tables and views without a schema before them")
        if extra := [key for key, value in node.args.items() if value and key not in _OF_TABLES]:
            raise _refused(f"table {quoted(node.name)} with `{extra[0]}`", "name the table alone")
        self._relation(node)

    def _relation(self, node: exp.Expr) -> None:
        name = _small(node.name)
        if name in RELATIONS:
            self._found.add(name)
        elif name in RESTRICTED_TABLES:
            found = f"refused: table {quoted(name)}, which is restricted"
            raise UsageError(Problem("query", found, "the other tables and views", _READ_DIRECTLY))
        elif not _is_common_table(node, name):
            found = f"table {quoted(node.name)}, which is no result table or view"
            raise _refused(found, did_you_mean(name, RELATIONS))

    def _unknown(self, node: exp.Expr) -> UsageError:
        from sqlglot import exp

        if isinstance(node, exp.QueryTransform):
            return _refused("TRANSFORM ... USING, which runs a program", QUERY_HELP)
        if isinstance(node, exp.Func) and not isinstance(node, exp.Concat):
            return _refused(f"function {quoted(node.sql_name().lower())}, which queries may not call", _FUNCTIONS_HELP)
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).lower()
        return _refused(f"`{name}`, which is no part of a query here", QUERY_HELP)


def _is_common_table(table: exp.Expr, name: str) -> bool:
    """Whether a WITH around a table reference defines its name."""
    from sqlglot import exp

    node, inside = table, None
    while (around := node.parent) is not None:
        if around.key == "with":
            inside = node
        clause = around.args.get("with_") or exp.With(expressions=[])
        for common in clause.expressions:
            itself = common is inside
            if _small(common.alias) == name and (not itself or clause.args.get("recursive")):
                return True
            if itself:
                break
        node = around
    return False


def _small(name: str) -> str:
    """As every engine compares names: no letter outside of ASCII is another's capital."""
    return name.translate(_CAPITALS)


def _refused(found: str, next_step: str) -> UsageError:
    return UsageError(Problem("query", f"refused: {found}", "", next_step))


def _too_deep() -> UsageError:
    return _refused("nested too deep", "write the parts as WITH name AS (...)")


def _position(error: Exception) -> str:
    """Where a text cannot be read; of the text itself nothing is repeated."""
    errors: list[Mapping[str, Any]] = getattr(error, "errors", None) or [{}]
    line, column = errors[0].get("line"), errors[0].get("col")
    return f"syntax error at line {line}, column {column}" if line else "syntax error"
