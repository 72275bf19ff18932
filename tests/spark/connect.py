"""A Spark Connect server with Delta, in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fairsweep.engines.spark.session import QUICK_SETTINGS, SETTINGS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
START_SECONDS = 180
# To make code for each of many tasks of a few rows takes a third of all the time of tests that only store.
INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}


def interpret(spark: SparkSession) -> None:
    """Let a session interpret expressions, as befits tests of storing."""
    for key, value in INTERPRETED.items():
        spark.conf.set(key, value)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Start a server that works in a folder, and give its `sc://` URL; it ends with the context.

    Raises:
        RuntimeError: with the end of its log, when it does not start.
    """
    import pyspark

    home = Path(pyspark.__file__).parent
    port = _free_port()
    own = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.host": "127.0.0.1",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(folder / "spark-warehouse"),
    }
    conf = {**SETTINGS, **QUICK_SETTINGS, **own}
    settings = [text for key, value in conf.items() for text in ("--conf", f"{key}={value}")]
    command = [shutil.which("bash") or "bash", str(home / "bin" / "spark-submit"), "--class", SERVER]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    environment |= {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    log = folder / "connect-server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--master", "local[2]", *settings, "spark-internal"],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, port, log)
        yield f"sc://127.0.0.1:{port}"
    finally:
        # spark-submit is a shell that replaces itself by Java; the group holds whatever it started.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the Connect server did not start:\n{log.read_text(errors='replace')[-2000:]}")
