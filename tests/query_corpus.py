"""Queries for both engines: ways out of the result tables, which are refused, and what analysts ask."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairsweep.stores.query_functions import Dialect

# Each must be refused by both gates, whichever engine knows it; `said` stands in what is said of it.
WAYS_OUT: tuple[tuple[str, str], ...] = (
    # programs and code
    ("SELECT TRANSFORM(status) USING 'sh -c \"id > {outside}.id\"' AS x FROM runs", "TRANSFORM|syntax"),
    ("FROM runs SELECT TRANSFORM(status) USING 'cat'", "TRANSFORM|syntax"),
    ("SELECT x FROM (SELECT TRANSFORM(status) USING 'cat' AS x FROM runs)", "TRANSFORM|syntax"),
    ("WITH a AS (SELECT TRANSFORM(status) USING 'cat' AS x FROM runs) SELECT * FROM a", "TRANSFORM|syntax"),
    ("SELECT MAP status USING 'cat' FROM runs", "syntax"),
    ("FROM runs REDUCE status USING 'cat' AS x", "syntax|REDUCE"),
    ("SELECT TRANSFORM(status) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' USING 'cat' AS (x) FROM runs", "."),
    ("SELECT reflect('java.lang.System', 'getenv', 'HOME')", "function `reflect`"),
    ("SELECT `reflect`('java.lang.System', 'getenv', 'HOME')", "."),
    ("SELECT REFLECT('java.lang.System', 'getenv', 'HOME')", "function `REFLECT`"),
    ("SELECT java_method('java.lang.System', 'getProperty', 'user.home')", "function `java_method`"),
    ("SELECT try_reflect('java.lang.System', 'getenv', 'HOME')", "function `try_reflect`"),
    ("SELECT system.builtin.reflect('java.lang.System', 'getenv', 'HOME')", "`reflect` after a dot"),
    ("SELECT count(*) FILTER (WHERE reflect('a', 'b') = '1') FROM runs", "function `reflect`"),
    ("SELECT run_id FROM runs ORDER BY reflect('a', 'b')", "function `reflect`"),
    ("SELECT sum(1) OVER (PARTITION BY reflect('a', 'b')) FROM runs", "function `reflect`"),
    ("SELECT CASE WHEN reflect('a', 'b') = '1' THEN 1 END", "function `reflect`"),
    ("SELECT filter(array_append(attributes, 'a'), x -> reflect(x, 'b') = '1') FROM subgroups", "function `reflect`"),
    ("SELECT json_execute_serialized_sql('{{}}')", "function `json_execute_serialized_sql`"),
    ("SELECT * FROM query('DELETE FROM runs')", "`query` as a table"),
    ("SELECT * FROM query_table(['runs'])", "`query_table` as a table"),
    ("SELECT ai_query('model', 'text')", "function `ai_query`"),
    ("SELECT http_request('https://example.com')", "function `http_request`"),
    ("SELECT secret('scope', 'key')", "function `secret`"),
    ("SELECT list_aggregate([1], 'sum')", "function `list_aggregate`|syntax"),
    ("SELECT default.my_function(1)", "`my_function` after a dot"),
    ("SELECT my_function(1)", "function `my_function`"),
    ("SELECT raise_error('x')", "function `raise_error`"),
    ("SELECT 'HOME'.getenv()", "."),
    # files, settings and sessions
    ("SELECT input_file_name() FROM runs", "function `input_file_name`"),
    ("SELECT input_file_block_start() FROM runs", "function `input_file_block_start`"),
    ("SELECT _metadata.file_path FROM runs", "name `_metadata`"),
    ("SELECT `_METADATA`.file_path FROM runs", "."),
    ("SELECT * FROM (SELECT _metadata FROM runs)", "name `_metadata`"),
    ("SELECT current_user", "."),
    ("SELECT current_user()", "."),
    ("SELECT `user`", "."),
    ("SELECT session_user", "."),
    ("SELECT `ſession_user`", "."),
    ("SELECT user", "name `user`"),
    ("SELECT current_catalog, current_database(), current_schema()", "."),
    ("SELECT current_schema", "."),
    ("SELECT version()", "function `version`"),
    ("SELECT spark_partition_id() FROM runs", "function `spark_partition_id`"),
    ("SELECT getenv('HOME')", "function `getenv`"),
    ("SELECT getvariable('x')", "function `getvariable`"),
    ("SELECT current_setting('home_directory')", "function `current_setting`"),
    ("SELECT txid_current()", "function `txid_current`"),
    ("SELECT pg_sleep(10)", "function `pg_sleep`"),
    ("SELECT * FROM read_csv('{outside}')", "`read_csv` as a table"),
    ("SELECT * FROM read_text('{outside}')", "`read_text` as a table"),
    ("SELECT * FROM read_blob('/etc/passwd')", "`read_blob` as a table"),
    ("SELECT * FROM read_files('{outside}')", "`read_files` as a table"),
    ("SELECT * FROM parquet_scan('{outside}')", "`parquet_scan` as a table"),
    ("SELECT * FROM parquet_metadata('{outside}')", "`parquet_metadata` as a table"),
    ("SELECT * FROM sniff_csv('{outside}')", "`sniff_csv` as a table"),
    ("SELECT * FROM glob('/*')", "as a table"),
    ("SELECT * FROM duckdb_settings()", "`duckdb_settings` as a table"),
    ("SELECT * FROM pragma_version()", "`pragma_version` as a table"),
    ("SELECT * FROM information_schema.tables", "`information_schema.tables`"),
    ("SELECT * FROM sqlite_master", "`sqlite_master`"),
    ("SELECT * FROM pg_catalog.pg_class", "`pg_catalog.pg_class`"),
    ("SELECT * FROM '{outside}'", "."),
    ('SELECT * FROM "{outside}"', "."),
    ("SELECT * FROM `{outside}`", "."),
    ("SELECT * FROM csv.`{outside}`", "."),
    ("SELECT * FROM text.`/etc/passwd`", "."),
    ("SELECT * FROM delta.`/x`", "."),
    ("SELECT * FROM parquet.`/x/*`", "."),
    ("SELECT * FROM binaryFile.`/etc/passwd`", "."),
    ("SELECT 1 WHERE EXISTS (SELECT 1 FROM text.`/etc/passwd`)", "."),
    ("SELECT '${{env:HOME}}' AS `${{env:HOME}}`", "."),
    ("SELECT ${{env:HOME}}", "."),
    ("SELECT ${{system:user.home}} FROM runs", "."),
    ("SELECT :name", "."),
    ("SELECT ?", "."),
    ("SELECT $1", "."),
    ("SELECT @@version", "."),
    ("SELECT * FROM runs LIMIT :n", "."),
    # other tables, and these by other names
    ("SELECT * FROM secret", "`secret`, which is no result table"),
    ("SELECT * FROM {schema}.runs", r"table `{schema}.runs`"),
    ("SELECT * FROM spark_catalog.{schema}.runs", r"table `spark_catalog.{schema}.runs`"),
    ("SELECT * FROM memory.main.runs", "table `memory.main.runs`"),
    ("SELECT {schema}.runs.run_id FROM runs", "more than a table before it"),
    ("SELECT * FROM IDENTIFIER('runs')", "`IDENTIFIER` as a table"),
    ("SELECT IDENTIFIER('run_id') FROM runs", "function `IDENTIFIER`"),
    ("SELECT * FROM runs VERSION AS OF 0", "."),
    ("SELECT * FROM runs TIMESTAMP AS OF '2026-01-01'", "."),
    ("SELECT * FROM runs AT (VERSION => 1)", "."),
    ("SELECT * FROM runs@v0", "."),
    ("SELECT * FROM runs FOR SYSTEM_TIME AS OF '2026-01-01'", "."),
    ("SELECT * FROM range(1000000000000)", "`range` as a table"),
    ("SELECT * FROM generate_series(1, 10)", "."),
    ("SELECT range(1000000000000)", "function `range`"),
    ("SELECT * FROM explode(array(1))", "."),
    ("SELECT * FROM table_changes('runs', 0)", "`table_changes` as a table"),
    ("SELECT * FROM runs, LATERAL read_files('/x')", "."),
    ("SELECT * FROM runs TABLESAMPLE (10 PERCENT)", "."),
    ("FROM runs |> SELECT run_id", "pipe"),
    ("WITH runs AS (SELECT 1 AS x) SELECT * FROM runs", "WITH `runs`"),
    ("WITH Runs AS (SELECT 1 AS x) SELECT * FROM runs", "WITH `Runs`"),
    ("WITH Cells AS (SELECT 1 AS x) SELECT 1", "WITH `Cells`"),
    ("SELECT * FROM outer_one WHERE EXISTS (WITH outer_one AS (SELECT 1) SELECT * FROM outer_one)", "`outer_one`"),
    ("WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", "`b`"),
    ("WITH a AS (SELECT * FROM a) SELECT * FROM a", "`a`"),
    # tables that members or small counts can be read from
    ("SELECT * FROM score_histograms", "`score_histograms`, which is restricted"),
    ("SELECT * FROM Cells", "`cells`, which is restricted"),
    ('SELECT * FROM "cohort"', "."),
    ("SELECT * FROM `cohort`", "."),
    ("SELECT * FROM {schema}.score_histograms", "table `{schema}.score_histograms`"),
    ("SELECT count(*) FROM runs WHERE run_id IN (SELECT run_id FROM cohort)", "`cohort`, which is restricted"),
    ("WITH a AS (TABLE cells) SELECT 1", "."),
    ("TABLE cells", "`cells`, which is restricted"),
    ("SELECT 1 UNION ALL SELECT bucket FROM score_histograms", "`score_histograms`, which is restricted"),
    # other statements
    ("DELETE FROM runs", "`DELETE`; allowed: one SELECT"),
    ("delete from {schema}.cells where true;", "`delete`"),
    ("/* SELECT */ DELETE FROM runs -- SELECT 1", "`DELETE`"),
    ("WITH a AS (SELECT 1) DELETE FROM runs", "."),
    ("UPDATE runs SET is_current = false", "`UPDATE`"),
    ("INSERT INTO runs SELECT * FROM runs", "`INSERT`"),
    ("INSERT OVERWRITE DIRECTORY '{outside}' SELECT * FROM runs", "`INSERT`"),
    ("FROM runs INSERT INTO runs SELECT *", "."),
    ("WITH a AS (SELECT 1) INSERT INTO runs SELECT * FROM a", "."),
    ("SELECT * INTO mine FROM runs", "."),
    ("MERGE INTO runs USING runs AS r ON true WHEN MATCHED THEN DELETE", "`MERGE`"),
    ("TRUNCATE TABLE runs", "`TRUNCATE`"),
    ("DROP TABLE {schema}.runs", "`DROP`"),
    ("DROP VIEW runs", "`DROP`"),
    ("DROP SCHEMA {schema} CASCADE", "`DROP`"),
    ("ALTER TABLE runs SET TBLPROPERTIES ('a' = 'b')", "`ALTER`"),
    ("CREATE TABLE mine AS SELECT 1", "`CREATE`"),
    ("CREATE OR REPLACE TEMP VIEW runs AS SELECT 1", "`CREATE`"),
    ("CREATE SECRET (TYPE s3)", "`CREATE`"),
    ("OPTIMIZE runs", "`OPTIMIZE`"),
    ("VACUUM runs", "`VACUUM`"),
    ("SET spark.sql.runSQLOnFiles = true", "`SET`"),
    ("SET enable_external_access = true", "`SET`"),
    ("RESET", "`RESET`"),
    ("USE default", "`USE`"),
    ("CLEAR CACHE", "`CLEAR`"),
    ("EXECUTE IMMEDIATE 'DELETE FROM runs'", "`EXECUTE`"),
    ("BEGIN DELETE FROM runs; END", "."),
    ("DECLARE x INT DEFAULT 1", "`DECLARE`"),
    ("PREPARE p AS SELECT 1", "`PREPARE`"),
    ("COPY runs TO '{outside}.copy'", "`COPY`"),
    ("EXPORT DATABASE '{outside}.d'", "`EXPORT`"),
    ("ATTACH '{outside}'", "`ATTACH`"),
    ("INSTALL httpfs", "`INSTALL`"),
    ("LOAD httpfs", "`LOAD`"),
    ("CALL pragma_version()", "`CALL`"),
    ("PRAGMA database_list", "`PRAGMA`"),
    ("EXPLAIN ANALYZE COPY runs TO '{outside}.copy'", "`EXPLAIN`"),
    ("DESCRIBE DETAIL {schema}.runs", "`DESCRIBE`"),
    ("SHOW TBLPROPERTIES {schema}.runs", "`SHOW`"),
    ("ADD JAR '{outside}'", "`ADD`"),
    ("SELECT 1; DELETE FROM runs", "2 statements"),
    ("SELECT 1) SELECT 1 FROM (SELECT 1", "syntax error"),
    ("SELECT 1 +", "syntax error"),
    ("SELECT 'a", "syntax error"),
    ("runs", "`runs`"),
    ("(runs)", "."),
    ("", "0 statements"),
    (";;", "0 statements"),
    ("-- nothing", "0 statements"),
    ("SELECT '\x00'", "control characters"),
    ("SELECT '\udcff'", "UTF-8"),
)
WAYS_OUT_OF: dict[Dialect, tuple[tuple[str, str], ...]] = {
    "duckdb": (
        ('SELECT "current_user"', "name `current_user`"),
        ('SELECT "USER" FROM runs', "name `USER`"),
        ("SELECT COLUMNS('.*') FROM runs", "function `COLUMNS`"),
        ("SELECT #1 FROM runs", "."),
        ("SUMMARIZE runs", "`SUMMARIZE`"),
        ("SHOW TABLES", "`SHOW`"),
    ),
    "spark": (
        ("SELECT /*+ BROADCAST(runs) */ * FROM runs", "hint"),
        ("SELECT config_json:model FROM runs", "."),
        ("CACHE TABLE runs", "`CACHE`"),
        ("SELECT {{x}}", "."),
    ),
}
# Names that would end what they stand in, were they not written in quotes.
DISARMED: dict[Dialect, tuple[tuple[str, str], ...]] = {
    "duckdb": (
        ('SELECT 1 AS "a"" FROM cells --"', 'SELECT 1 AS "a"" FROM cells --"'),
        ("SELECT 'a'' FROM cells --' AS x", "SELECT 'a'' FROM cells --' AS \"x\""),
        (r"SELECT 'a\' AS x", r"SELECT 'a\' AS " + '"x"'),
        ("SELECT 1 AS x /* */ -- FROM cells", 'SELECT 1 AS "x"'),
    ),
    "spark": (
        ("SELECT p FROM runs LATERAL VIEW explode(split(status, ',')) `u AS p FROM cells --` AS p",
         "SELECT `p` FROM `runs` LATERAL VIEW explode(split(`status`, ',')) `u AS p FROM cells --` AS `p`"),
        ("SELECT INTERVAL '1' `day FROM cells --`", "SELECT INTERVAL '1' AS `day FROM cells --`"),
        ("SELECT 1 AS `a`` FROM cells --`", "SELECT 1 AS `a`` FROM cells --`"),
        (r"SELECT 'a\' FROM cells --' AS x", r"SELECT 'a\' FROM cells --' AS `x`"),
        ("SELECT 'a' AS x, '${env:HOME}' AS y", "SELECT 'a' AS `x`, '\\u0024{env:HOME}' AS `y`"),
        ("SELECT filter(array(1), `x -> 1) FROM cells --` -> true) AS y",
         "SELECT filter(array(1), `x -> 1) FROM cells --` -> TRUE) AS `y`"),
    ),
}  # fmt: skip
# Texts that are too much for the parser or for an engine.
TOO_MUCH: dict[str, str] = {
    "100,000 brackets": "SELECT " + "(" * 100_000 + "1" + ")" * 100_000,
    "40,000 brackets": "SELECT " + "(" * 40_000 + "1" + ")" * 40_000,
    "90 brackets": "SELECT " + "(" * 90 + "1" + ")" * 90,
    "90 functions": "SELECT " + "abs(" * 90 + "1" + ")" * 90,
    "200 queries": "SELECT * FROM " + "(SELECT * FROM " * 200 + "runs" + ")" * 200,
    "5 MB": "SELECT '" + "x" * 5_000_000 + "'",
    "NOT": "SELECT " + "NOT " * 20_000 + "true",
    "minus": "SELECT " + "- " * 20_000 + "1",
    "CASE": "SELECT " + "CASE WHEN true THEN " * 3_000 + "1" + " END" * 3_000,
    "a long sum": "SELECT 1" + " + 1" * 20_000,
    "a long union": "SELECT 1" + " UNION SELECT 1" * 5_000,
    "many indices": "SELECT attributes" + "[0]" * 20_000 + " FROM subgroups",
}


def _queries(text: str) -> tuple[str, ...]:
    """Queries of a text; an empty line ends each."""
    return tuple(dedent(text).strip().split("\n\n"))


# What both engines are asked, and what each is asked in its own dialect; in order wherever there is more than one row.
_SAME = _queries(
    r"""
    SELECT count(*) AS n, count(DISTINCT model_id) AS models FROM runs

    SELECT run_id, status, is_current FROM runs WHERE status = 'succeeded' AND NOT (status = 'failed') ORDER BY run_id

    SELECT attribute, group_value, verdict FROM v_group_benefit_equality WHERE is_latest ORDER BY 1, 2, run_id

    WITH a AS (SELECT * FROM runs), b AS (SELECT run_id FROM a WHERE is_current) SELECT count(*) AS n FROM b

    WITH a AS (SELECT run_id FROM runs) SELECT a.run_id FROM a JOIN v_run_health AS h ON a.run_id = h.run_id ORDER
    BY 1

    SELECT attribute, max(value) - min(value) AS spread FROM group_metrics GROUP BY attribute ORDER BY attribute

    SELECT attribute, count(*) AS n FROM group_metrics GROUP BY attribute HAVING count(*) > 2 ORDER BY n DESC, 1

    SELECT metric, group_value, rank() OVER (PARTITION BY metric ORDER BY value DESC NULLS LAST) AS place FROM
    group_metrics ORDER BY run_id, metric, place, group_value

    SELECT group_value, cutoff, tp - lag(tp, 1) OVER (PARTITION BY run_id, attribute, group_value ORDER BY cutoff)
    AS change FROM threshold_sweep ORDER BY run_id, attribute, group_value, cutoff

    SELECT group_value, sum(n) OVER w AS up_to FROM threshold_sweep WINDOW w AS (PARTITION BY run_id, group_value
    ORDER BY cutoff ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) ORDER BY run_id, group_value, cutoff

    SELECT CASE WHEN value IS NULL THEN 'none' WHEN value < 0.8 THEN 'low' ELSE 'enough' END AS kind, count(*) AS n
    FROM group_metrics GROUP BY 1 ORDER BY 1

    SELECT CASE status WHEN 'defined' THEN 1 ELSE 0 END AS x FROM group_metrics ORDER BY 1

    SELECT CAST(n AS DOUBLE) / nullif(tp, 0) AS x, CAST(n AS DECIMAL(18, 2)) AS d FROM threshold_sweep ORDER BY 1, 2

    SELECT DISTINCT attribute FROM group_metrics WHERE group_value LIKE '%male%' ORDER BY attribute

    SELECT group_value FROM group_metrics WHERE group_value NOT LIKE 'fe%' AND metric IN ('recall',
    'selection_rate') ORDER BY 1, run_id

    SELECT upper(group_value) AS u, length(group_value) AS l, substring(group_value, 1, 3) AS s,
    replace(group_value, 'a', 'b') AS r, concat(attribute, ': ', group_value) AS c FROM group_metrics ORDER BY 3, 5

    SELECT attribute || ': ' || group_value AS name FROM group_metrics ORDER BY name

    SELECT coalesce(value, -1) AS v, round(value, 2) AS r, abs(value - 1) AS a FROM group_metrics ORDER BY 1, 2, 3

    SELECT value BETWEEN 0.5 AND 1.5 AS near, count(*) AS n FROM group_metrics GROUP BY 1 ORDER BY 1 NULLS FIRST

    SELECT attribute, group_value, sum(n) AS n FROM threshold_sweep GROUP BY GROUPING SETS ((attribute,
    group_value), (attribute), ()) ORDER BY 1 NULLS FIRST, 2 NULLS FIRST

    SELECT attribute, grouping(attribute) AS g, sum(n) AS n FROM threshold_sweep GROUP BY ROLLUP (attribute) ORDER
    BY 2, 1

    SELECT attribute, metric, count(*) AS n FROM group_metrics GROUP BY CUBE (attribute, metric) ORDER BY 1 NULLS
    FIRST, 2 NULLS FIRST

    SELECT count(*) FILTER (WHERE verdict = 'breach') AS b, count(*) AS n FROM v_group_benefit_equality

    SELECT r.model_id, p.cutoff FROM runs AS r LEFT JOIN operating_points AS p ON p.run_id = r.run_id ORDER BY
    r.run_id, 2

    SELECT count(*) AS n FROM v_group_metrics JOIN v_disparities USING (run_id, attribute, group_value, metric)

    SELECT count(*) AS n FROM runs, operating_points AS p WHERE runs.run_id = p.run_id

    SELECT model_id FROM runs WHERE run_id IN (SELECT run_id FROM group_metrics WHERE value > 1) ORDER BY 1

    SELECT model_id FROM runs AS r WHERE EXISTS (SELECT 1 FROM group_metrics AS g WHERE g.run_id = r.run_id) ORDER
    BY 1

    SELECT (SELECT max(value) FROM group_metrics) AS most, count(*) AS n FROM runs

    SELECT model_id FROM runs UNION SELECT attribute FROM group_metrics ORDER BY 1 LIMIT 3

    SELECT attribute FROM group_metrics EXCEPT SELECT model_id FROM runs ORDER BY 1

    (SELECT 1 AS x) UNION ALL (SELECT 2 AS x) ORDER BY x DESC LIMIT 1

    SELECT metric FROM group_metrics ORDER BY metric LIMIT 1 OFFSET 1

    SELECT EXTRACT(YEAR FROM started_at) AS y, date_trunc('month', started_at) AS m FROM runs ORDER BY run_id

    SELECT window_start, DATE '2026-01-31' AS d FROM runs WHERE window_start < DATE '2026-01-01' ORDER BY run_id

    SELECT finished_at - started_at > INTERVAL '0' SECOND AS took FROM runs ORDER BY run_id

    SELECT started_at + INTERVAL 1 DAY AS tomorrow, year(started_at) AS y FROM runs ORDER BY run_id

    SELECT median(value) AS m, avg(value) AS a, stddev_samp(value) AS s FROM group_metrics

    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS m FROM group_metrics

    SELECT 7 / 2 AS quotient, 7 % 4 AS rest, -7 AS negative, - -1 AS one, 1e3 AS big, 0.5 AS half

    SELECT 'it''s' AS quote, 'a -- b' AS remark, '100 % ''ünknown''' AS share

    VALUES (1, 'a'), (2, 'b')

    FROM v_run_health ORDER BY run_id

    TABLE runs

    -- a remark; DELETE FROM runs
    SELECT 1 AS x -- and another

    SELECT ';' AS x ; -- done;
     /* ; */ ;

    SELECT 'DROP TABLE runs' AS x, 'SELECT * FROM cells' AS y

    SELECT * FROM subgroups ORDER BY run_id

    SELECT model_id AS x, run_id AS x FROM runs ORDER BY run_id

    SELECT a.value IS NOT DISTINCT FROM b.value AS same FROM group_metrics AS a JOIN group_metrics AS b ON a.run_id
    = b.run_id AND a.metric = b.metric AND a.group_value = b.group_value AND a.attribute = b.attribute

    SELECT max_by(group_value, value) AS best, min_by(group_value, value) AS worst FROM group_metrics

    SELECT first_value(group_value) OVER (PARTITION BY run_id, metric ORDER BY value, group_value) AS first_one FROM
    group_metrics ORDER BY run_id, metric, 1

    SELECT TRUE AND NOT FALSE OR NULL IS NULL AS x, 1 <> 2 AS y, 5 & 3 AS z, 5 | 3 AS w, ~5 AS v

    SELECT attribute, count(*) AS n FROM group_metrics GROUP BY ALL ORDER BY ALL
    """
)
_DUCKDB = _queries(
    r"""
    SELECT "group_value" AS "the ""group"" x", g."value" FROM "group_metrics" AS g ORDER BY 1, 2

    SELECT list_contains(operating_points, 'deployed') AS at, len(operating_points) AS n, operating_points[1] AS
    one, operating_points[1:2] AS two FROM threshold_sweep ORDER BY run_id, attribute, group_value, cutoff

    SELECT 'deployed' = ANY(operating_points) AS at, count(*) AS n FROM threshold_sweep GROUP BY 1 ORDER BY 1

    SELECT p, count(*) AS n FROM threshold_sweep, unnest(operating_points) AS u(p) GROUP BY p ORDER BY p

    SELECT unnest(operating_points) AS p FROM threshold_sweep ORDER BY p

    SELECT list_filter(operating_points, lambda x: x <> 'a') AS f, list_transform(operating_points, lambda x:
    upper(x)) AS t FROM threshold_sweep ORDER BY run_id, attribute, group_value, cutoff

    SELECT config_json ->> '$.name' AS a, config_json ->> 'name' = 'x' AS b, config_json -> '$.name' AS c,
    json_extract_string(config_json, '$.name') AS d, json_extract(config_json, '$.name') AS e FROM runs ORDER BY
    run_id

    SELECT run_id, metric FROM group_metrics QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY value, metric)
    = 1 ORDER BY run_id

    SELECT quantile_cont(value, 0.5) AS a, quantile_cont(value, [0.25, 0.75]) AS b FROM group_metrics

    SELECT tp // 2 AS whole, tp / 2 AS half, tp::VARCHAR AS text, TRY_CAST(group_value AS INT) AS no FROM
    threshold_sweep ORDER BY run_id, attribute, group_value, cutoff

    SELECT date_diff('day', window_start, window_end) AS days, strftime(started_at, '%Y-%m') AS m FROM runs ORDER BY
    1, 2

    SELECT started_at AT TIME ZONE 'UTC' AS t FROM runs ORDER BY 1

    SELECT * EXCLUDE (error), 1 AS one FROM runs ORDER BY run_id

    SELECT * REPLACE (upper(model_id) AS model_id) FROM runs ORDER BY run_id

    SELECT DISTINCT ON (attribute) attribute, metric FROM group_metrics ORDER BY attribute, metric

    SELECT * FROM (PIVOT group_metrics ON status USING count(*) GROUP BY attribute) AS p ORDER BY attribute

    SELECT * FROM (SELECT attribute, status, n FROM threshold_sweep) PIVOT (sum(n) FOR status IN ('defined',
    'empty')) ORDER BY attribute

    WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) AS n FROM r

    SELECT string_agg(group_value, ', ' ORDER BY group_value) AS names FROM operating_points JOIN group_metrics
    USING (run_id)

    SELECT last_value(value IGNORE NULLS) OVER (PARTITION BY run_id ORDER BY metric, attribute, group_value) AS x
    FROM group_metrics ORDER BY 1

    SELECT regexp_matches(group_value, '^[a-z]+$') AS plain, regexp_replace(group_value, '[^a-z]', '', 'g') AS r
    FROM group_metrics ORDER BY 2

    SELECT 'a\b' AS backslash, e.attribute FROM group_metrics AS e WHERE group_value SIMILAR TO '[a-z]+' ORDER BY 2

    SELECT a.cutoff FROM threshold_sweep AS a ASOF JOIN threshold_sweep AS b ON a.run_id = b.run_id AND a.cutoff >=
    b.cutoff ORDER BY 1

    SELECT group_value ILIKE 'FE%' AS x, left(group_value, 2) AS l, split_part(group_value, 'a', 1) AS p FROM
    group_metrics ORDER BY 2, 3
    """
)
_SPARK = _queries(
    r"""
    SELECT `group_value` AS `the ``group```, g.`value` FROM `group_metrics` AS g ORDER BY 1, 2

    SELECT array_contains(operating_points, 'deployed') AS at, size(operating_points) AS n, get(operating_points, 0)
    AS o, slice(operating_points, 1, 2) AS two FROM threshold_sweep ORDER BY run_id, attribute, group_value, cutoff

    SELECT p, count(*) AS n FROM threshold_sweep LATERAL VIEW explode(operating_points) u AS p GROUP BY p ORDER BY p

    SELECT p FROM threshold_sweep LATERAL VIEW OUTER posexplode(operating_points) `u v` AS i, p ORDER BY p

    SELECT explode(operating_points) AS p FROM threshold_sweep ORDER BY p

    SELECT filter(operating_points, x -> x <> 'a') AS f, transform(operating_points, x -> upper(x)) AS t,
    aggregate(array(1, 2), 0, (acc, x) -> acc + x) AS s FROM threshold_sweep ORDER BY run_id, attribute,
    group_value, cutoff

    SELECT get_json_object(config_json, '$.name') AS a FROM runs ORDER BY run_id

    SELECT percentile(value, 0.5) AS a, percentile_approx(value, array(0.25, 0.75), 100) AS b FROM group_metrics

    SELECT tp DIV 2 AS whole, tp / 2 AS half, tp::STRING AS text, TRY_CAST(group_value AS INT) AS no, 1L AS one,
    1.5BD AS d FROM threshold_sweep ORDER BY run_id, attribute, group_value, cutoff

    SELECT datediff(window_end, window_start) AS a, datediff(DAY, window_start, window_end) AS b, dateadd(month, 1,
    window_start) AS c, date_format(started_at, 'yyyy-MM') AS m, add_months(window_start, 1) AS n FROM runs ORDER BY
    run_id

    SELECT * EXCEPT (error), 1 AS one FROM runs ORDER BY run_id

    SELECT * FROM (SELECT attribute, status, n FROM threshold_sweep) PIVOT (sum(n) FOR status IN ('defined',
    'empty')) ORDER BY attribute

    SELECT concat_ws(', ', sort_array(collect_set(group_value))) AS names FROM group_metrics

    SELECT last_value(value) IGNORE NULLS OVER (PARTITION BY run_id ORDER BY metric, attribute, group_value) AS x
    FROM group_metrics ORDER BY 1

    SELECT group_value RLIKE '^[a-z]+$' AS plain, regexp_replace(group_value, '[^a-z]', '') AS r FROM group_metrics
    ORDER BY 2

    SELECT 'it\'s' AS a, 'a\\b' AS b, '\%\_\d\n\u0041' AS c, "double ""quoted"" text" AS d

    SELECT group_value ILIKE 'FE%' AS x, left(group_value, 2) AS l, if(value > 1, 'high', 'low') AS h, nvl(value, 0)
    AS v FROM group_metrics ORDER BY 2, 3, 4

    SELECT r.model_id FROM runs AS r LEFT SEMI JOIN group_metrics AS g ON r.run_id = g.run_id ORDER BY 1

    SELECT attribute, sum(n) AS n FROM threshold_sweep GROUP BY attribute WITH ROLLUP ORDER BY 1 NULLS FIRST

    SELECT 1 <=> NULL AS a, 1 == 1 AS b, !true AS c, 5 ^ 3 AS d, NOT 1 IS NULL AS e

    SELECT unnested.p FROM threshold_sweep, LATERAL explode(operating_points) AS unnested(p) ORDER BY p
    """
)
HONEST: dict[Dialect, tuple[str, ...]] = {"duckdb": _SAME + _DUCKDB, "spark": _SAME + _SPARK}


def files(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below a folder, with what is in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
