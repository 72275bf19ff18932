"""Spark sessions that can read and write Delta tables, and settings that are put back."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairsweep.errors import Problem, StorageError, UsageError, install_step, quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Settings of a session that is ours to start. A session that runs already keeps its own.
SETTINGS: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    # Text of a config is never expanded into SQL, and a path is never taken for a table.
    "spark.sql.variable.substitute": "false",
    "spark.sql.runSQLOnFiles": "false",
    # The result tables' logs are small; fifty tasks to read one would take longer than the audit.
    "spark.databricks.delta.snapshotPartitions": "2",
    # Errors name no lines of this program, and sending Java the line of each call takes as long as the call.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
# How long a server may take to accept a connection; later work has no limit.
REACHED_WITHIN = 15.0
# Packages of Delta's coordinates other than its two jars; a second Hadoop on the class path conflicts with Spark's.
_NOT_NEEDED = "org.*:*,com.*:*,io.unitycatalog:*,io.delta:delta-kernel-*"
LOCAL_SETTINGS: Mapping[str, str] = {
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.driver.memory": "2g",
    # Everything is in one process: no port needs to be open to other machines.
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
# A short job spends most of its time compiling and loading classes: use Java's quick compiler, and no collections for
# them. Nothing here may set the size of the heap, because users can make it smaller.
# With only that compiler Java reserves 48 MB for compiled code; a few audits fill it, and then Java stops compiling.
QUICK_SETTINGS: Mapping[str, str] = {
    "spark.driver.defaultJavaOptions": (
        "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC -XX:MetaspaceSize=256m"
    ),
}
# A query of a few rows takes longer to plan and to compile than to run: it is interpreted, and planned once.
FEW_ROWS_SETTINGS: Mapping[str, str] = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}
# A task that finds no memory would end alone, and the job that waits for it never.
_END_WITHOUT_MEMORY = "-XX:+ExitOnOutOfMemoryError"


def start(master: str | None = None, remote: str | None = None, *, quick: bool = False) -> SparkSession:
    """The running session, or a new one: on `remote` (Spark Connect), on `master`, or on this machine's cores.

    Args:
        master: a Spark master; by default this machine's cores.
        remote: a Spark Connect server.
        quick: a new session on this machine is for work of seconds.

    Raises:
        UsageError: when pyspark or Java is missing, or an address cannot be one.
        StorageError: when no server or master accepts a connection.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UsageError(Problem("engine spark", "not installed", "", install_step("spark"))) from error
    if remote is not None:
        if not remote.startswith("local"):  # PySpark starts such a server itself
            _reach_server(remote)
        return SparkSession.builder.remote(remote).getOrCreate()
    running = SparkSession.getActiveSession()
    if running is not None and master is None:
        return running
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return SparkSession.builder.getOrCreate()
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if master is not None and master.startswith("spark://") and not is_running():
        _reach_master(master)
    return _new(master if master is not None or submitted else "local[*]", quick=quick)


def is_running() -> bool:
    """Whether this process has a session, in whichever thread."""
    if "pyspark.sql" not in sys.modules:
        return False
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    try:
        SparkSession.active()
    except PySparkRuntimeError:
        return False
    return True


def is_of_this_machine(spark: SparkSession) -> bool:
    """Whether a path without a scheme is one of this machine: not where a server or a cluster has files of its own."""
    context: Any = getattr(spark, "_jsc", None)
    if context is None:  # Spark Connect
        return False
    default = context.hadoopConfiguration().get("fs.defaultFS")
    return default is None or default.startswith("file:")


def _reach_server(remote: str) -> None:
    """Refuse a Connect server that does not answer; PySpark would retry for many minutes.

    The channel is gRPC's own, so that proxies and encryption are the same as for the later session.
    """
    try:
        import grpc  # type: ignore[import-untyped]
        from pyspark.sql.connect.client import DefaultChannelBuilder
    except ImportError as error:
        raise UsageError(Problem("--remote", "without its packages", "", install_step("spark"))) from error
    # The text after the host can contain an access token.
    shown = quoted(remote.partition(";")[0].rpartition("@")[2])
    try:
        channel = DefaultChannelBuilder(remote).toChannel()
    except ValueError as error:
        raise UsageError(Problem("--remote", shown, "sc://HOST:PORT", "for example sc://localhost:15002")) from error
    with closing(channel):
        try:
            grpc.channel_ready_future(channel).result(timeout=REACHED_WITHIN)
        except grpc.FutureTimeoutError as error:
            raise StorageError(_unreached("--remote", shown, "start the Spark Connect server")) from error


def _reach_master(master: str) -> None:
    """Refuse a standalone master that does not answer; Spark would wait for minutes. One address is enough."""
    addresses = _addresses(master)
    until = time.monotonic() + REACHED_WITHIN
    while time.monotonic() < until:
        for address in addresses:
            try:
                socket.create_connection(address, timeout=REACHED_WITHIN / len(addresses)).close()
            except OSError:
                continue
            return
        time.sleep(0.5)
    raise StorageError(_unreached("--master", quoted(master), "start the cluster"))


def _addresses(master: str) -> Sequence[tuple[str, int]]:
    """The hosts and ports of `spark://HOST:PORT[,HOST:PORT...]`."""
    try:
        parts = [urlsplit(f"//{part}") for part in master.removeprefix("spark://").split(",")]
        found = [(part.hostname or "", part.port or 0) for part in parts]
    except ValueError:
        found = [("", 0)]
    if not all(host and port for host, port in found):
        raise UsageError(Problem("--master", quoted(master), "spark://HOST:PORT", "for example spark://localhost:7077"))
    return found


def _unreached(flag: str, shown: str, step: str) -> Problem:
    found = f"{shown}, which did not answer within {REACHED_WITHIN:.0f} seconds"
    return Problem(flag, found, "", f"check host and port, or {step}")


def _new(master: str | None, *, quick: bool) -> SparkSession:
    """A session with our settings, on the given master or on that of spark-submit."""
    from pyspark.sql import SparkSession

    wanted: dict[str, str] = dict(SETTINGS)
    builder = SparkSession.builder.appName("fairsweep")
    if master is not None:
        builder = builder.master(master)
        if master.startswith("local"):
            wanted |= {**LOCAL_SETTINGS, **_quiet_logs(), **(QUICK_SETTINGS if quick else {})}
            # Without it Spark's Python workers would use the system's `python3`, perhaps without numpy.
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    for key, value in wanted.items():
        builder = builder.config(key, value)
    if "PYSPARK_GATEWAY_PORT" not in os.environ and not _has_delta():
        from delta import configure_spark_with_delta_pip

        builder = configure_spark_with_delta_pip(builder).config("spark.jars.excludes", _NOT_NEEDED)
    try:
        return builder.getOrCreate()
    except Exception as error:
        if "JAVA_GATEWAY_EXITED" in str(error) or "Java gateway" in str(error):
            raise UsageError(
                Problem("Java", "not found, or it could not start", "Java 17 or newer", "install it and set JAVA_HOME")
            ) from error
        raise


def _quiet_logs() -> dict[str, str]:
    """Keep Spark's own log off the terminal: its warnings do not help users, and can quote values of rows."""
    logging = Path(__file__).with_name("log4j2.properties")
    if not logging.is_file():  # inside a zip, which Java cannot look into
        return {"spark.driver.extraJavaOptions": _END_WITHOUT_MEMORY, "spark.log.level": "FATAL"}
    options = f"{_END_WITHOUT_MEMORY} -Dlog4j2.configurationFile={logging.as_uri()}"
    return {"spark.driver.extraJavaOptions": options}


def _has_delta() -> bool:
    """Whether Delta's jars are in the folder of Spark's jars, where `scripts/setup` puts them."""
    import pyspark

    home = Path(os.environ.get("SPARK_HOME", Path(pyspark.__file__).parent))
    return any((home / "jars").glob("delta-spark_*.jar"))


@contextmanager
def settings(spark: SparkSession, wanted: Mapping[str, str]) -> Iterator[None]:
    """Set the settings that the session allows, and restore them afterwards (serverless compute refuses most)."""
    before: dict[str, str | None] = {}
    for key, value in wanted.items():
        old = spark.conf.get(key, None)
        try:
            spark.conf.set(key, value)
        except Exception as error:
            if "CANNOT_MODIFY_CONFIG" not in str(error) and "not available" not in str(error):
                raise
        else:
            before[key] = old
    try:
        yield
    finally:
        for key, earlier in before.items():
            if earlier is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, earlier)
