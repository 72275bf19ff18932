"""Queries of another user on a warehouse of this user."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

# Perhaps only root may read the folder of Python itself. So Python loads all modules first, and then changes its user.
_PYTHON_AS_ANOTHER = """
import contextlib, io, os, sys
from fairsweep.cli import main as cli
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    cli.run(["sql", "SELECT count(*) FROM v_criteria", "--json", *sys.argv[3:]])
    cli.run(["sql", "SELECT 1 +", *sys.argv[3:]])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(cli.run(sys.argv[1:]))
"""
# With Spark it is Java that opens the tables, so only Java runs as the other user.
_JAVA_AS_ANOTHER = """
import os, subprocess, sys, tempfile
import pyspark
os.environ["SPARK_HOME"] = os.path.dirname(pyspark.__file__)
as_root, private = subprocess.Popen.__init__, tempfile.mkdtemp
def as_another(self, *given, **named):
    as_root(self, *given, **{**named, "user": 65534, "group": 65534, "extra_groups": []})
def open_to_all(*given, **named):
    folder = private(*given, **named)
    os.chmod(folder, 0o777)
    return folder
subprocess.Popen.__init__, tempfile.mkdtemp = as_another, open_to_all
from fairsweep.engines.spark import session
session.start("local[1]")
subprocess.Popen.__init__, tempfile.mkdtemp = as_root, private
from fairsweep.cli import main as cli
sys.exit(cli.run(sys.argv[1:]))
"""
_PROGRAMS = {"local": (_PYTHON_AS_ANOTHER, ()), "spark": (_JAVA_AS_ANOTHER, ("--engine", "spark"))}


def query_as_another_user(
    engine: Literal["local", "spark"], query: str, *flags: str
) -> subprocess.CompletedProcess[str]:
    """Run `fairsweep sql` with the rights of the user `nobody`; only root can do this."""
    program, of_engine = _PROGRAMS[engine]
    command = [sys.executable, "-c", program, "sql", query, *flags, *of_engine]
    return subprocess.run(command, cwd="/tmp", capture_output=True, text=True, check=False)
