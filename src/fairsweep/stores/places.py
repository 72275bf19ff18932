"""The location of result tables: a folder, or a schema of a catalog; names and statements of Spark, no session."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from fairsweep.errors import Problem, StorageError, UsageError, quoted
from fairsweep.stores.delta_logs import LOG
from fairsweep.stores.problems import no_warehouse, runs_missing
from fairsweep.tables.catalogue import RUNS, TABLES
from fairsweep.tables.schema import sql_name, sql_text
from fairsweep.tables.views import VIEWS

_IDENTIFIER = re.compile(r"[\w-]{1,255}")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Place:
    """A schema that holds the result tables.

    Attributes:
        parts: its name: a schema, or a catalog and a schema.
        folder: the folder of external tables; None if the catalog manages them.
    """

    parts: tuple[str, ...]
    folder: str | None = None

    @classmethod
    def warehouse(cls, folder: str | Path) -> Place:
        """A folder with a table in each subfolder, bound in the session under a name made from its path.

        Args:
            folder: a path, made absolute here, or a URI as it is.

        Raises:
            UsageError: when the path is empty or has control characters.
        """
        text = str(folder)
        if not text or _CONTROL.search(text):
            raise UsageError(Problem("--warehouse", quoted(text), "the path of a folder", "give its path"))
        # However a folder is spelled, its tables are bound once.
        absolute = text.rstrip("/") if _SCHEME.match(text) else str(Path(text).resolve())
        name = hashlib.sha256(absolute.encode()).hexdigest()[:16]
        return cls((f"fairsweep_{name}",), absolute)

    @classmethod
    def catalog(cls, schema: str, catalog: str | None = None) -> Place:
        """A schema of a catalog, or of the session's own where none is named.

        Raises:
            UsageError: when a name is not made of letters, digits, `_` and `-`.
        """
        problems = [
            Problem(flag, quoted(name), "letters, digits, _ and -", "name an existing one, or one to create")
            for flag, name in (("--catalog", catalog), ("--schema", schema))
            if name is not None and not _IDENTIFIER.fullmatch(name)
        ]
        if problems:
            raise UsageError(problems)
        return cls((schema,) if catalog is None else (catalog, schema))

    @property
    def text(self) -> str:
        """The location as text for people."""
        return self.folder if self.folder is not None else ".".join(self.parts)

    @property
    def local_folder(self) -> Path | None:
        """The folder on this machine's file systems; None for a catalog and for an object store."""
        if self.folder is None:
            return None
        if self.folder.startswith("file:"):
            return Path(re.sub("^file:(//[^/]*)?", "", self.folder))
        return None if _SCHEME.match(self.folder) else Path(self.folder)

    @property
    def schema(self) -> str:
        """The quoted name of the schema."""
        return sql_name(*self.parts)

    def name(self, table: str) -> str:
        """The quoted name of a table or view."""
        return sql_name(*self.parts, table)

    def location(self, table: str) -> str | None:
        """The folder of an external table."""
        return None if self.folder is None else f"{self.folder}/{table}"

    @property
    def is_new(self) -> bool:
        """Whether this process can determine that nothing was ever published: a folder without a log of runs."""
        folder = self.local_folder
        return folder is not None and folder.parent.is_dir() and not (folder / RUNS / LOG).exists()

    @property
    def create_schema(self) -> str:
        """The statement that creates the schema unless it exists."""
        location = "" if self.folder is None else f" LOCATION {sql_text(self.folder)}"
        return f"CREATE SCHEMA IF NOT EXISTS {self.schema}{location}"

    def create_table(self, table: str) -> str:
        """The statement that creates a table unless it exists, and binds it if it is in a folder."""
        return TABLES[table].ddl(self.name(table), self.location(table))

    def bind_table(self, table: str) -> str:
        """The statement that binds a table of a folder as it is."""
        location = sql_text(self.location(table) or "")
        return f"CREATE TABLE IF NOT EXISTS {self.name(table)} USING delta LOCATION {location}"

    def create_view(self, view: str) -> str:
        """The statement that creates a view or brings it up to date."""
        comment = sql_text(VIEWS[view].comment)
        return f"CREATE OR REPLACE VIEW {self.name(view)} COMMENT {comment} AS\n{VIEWS[view].render(self.name)}"

    @property
    def ddl(self) -> str:
        """Every statement that creates the schema, the tables and the views."""
        statements = [
            self.create_schema,
            *(self.create_table(table) for table in TABLES),
            *(self.create_view(view) for view in VIEWS),
        ]
        return ";\n\n".join(statements) + ";\n"


def refuse_other_folders(folder: Path) -> None:
    """Refuse to read from a folder on this machine that holds no run records; nothing is created.

    Raises:
        UsageError: where it holds nothing of Fairsweep's.
        StorageError: where it holds result tables without their run records.
    """
    if is_there(folder / RUNS / LOG):
        return
    if not folder.is_dir():
        found = "which is a file" if folder.exists() else "which does not exist"
    elif any(is_there(folder / table / LOG) for table in TABLES):
        raise StorageError(runs_missing(str(folder)))
    else:
        found = "which holds other files" if any(folder.iterdir()) else "which is empty"
    raise UsageError(no_warehouse(str(folder), found))


def occupied(folder: Path | str) -> Problem:
    """The refusal of a folder that holds files other than the table's."""
    return Problem(str(folder), "a folder with other files", "an empty folder or none", "use another --warehouse")


def is_there(folder: Path) -> bool:
    """Whether a folder exists; one in a folder that this user may not enter is taken to."""
    try:
        return folder.is_dir()
    except PermissionError:  # of a folder that only its owner may enter
        return True
