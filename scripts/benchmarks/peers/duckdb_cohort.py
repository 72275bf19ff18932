"""DuckDB: the cohort of the case study in one query written by hand, to a Parquet file."""

from __future__ import annotations

import sys

from scripts.benchmarks.answers import Answer
from scripts.benchmarks.cohorts import answer
from scripts.benchmarks.contestants import THREADS, Command, Work

# The same rules: 180 days enrolled before with gaps of up to 31 days passed over, enrolled over the horizon unless
# dead, lines known by the day, the highest version of each, none that is taken back.
QUERY = """
with spans as (
    select *, enrollment_start_date > max(enrollment_end_date) over (
        partition by member_id order by enrollment_start_date rows between unbounded preceding and 1 preceding
    ) + 32 as begins
    from read_parquet('{folder}/enrollment/*.parquet')
), numbered as (
    select *, sum(cast(coalesce(begins, true) as integer)) over (
        partition by member_id order by enrollment_start_date
    ) as island
    from spans
), islands as (
    select member_id, min(enrollment_start_date) as since, max(enrollment_end_date) as until
    from numbered group by member_id, island
), counting as (
    select p.*, m.* exclude (member_id), year(p.scored_on) - year(m.birth_date) - cast(
        (month(p.scored_on), day(p.scored_on)) < (month(m.birth_date), day(m.birth_date)) as integer) as age
    from read_parquet('{folder}/predictions/*.parquet') as p
    join read_parquet('{folder}/members/*.parquet') as m using (member_id)
    join islands as i on i.member_id = p.member_id and p.scored_on between i.since and i.until
    where p.scored_on - i.since >= 180
      and (m.death_date is null or m.death_date >= p.scored_on)
      and (i.until >= p.scored_on + interval 3 month or m.death_date <= p.scored_on + interval 3 month)
      and p.scored_on + interval 3 month + interval 90 day <= date '2024-08-31'
), lines as (
    select * from read_parquet('{folder}/medical_claims/*.parquet') where paid_date <= date '2024-08-31'
), listed as (
    select distinct l.* from lines as l join (select distinct member_id, scored_on from counting) as c using (member_id)
    where setting = 'inpatient' and claim_start_date > scored_on and claim_start_date <= scored_on + interval 3 month
      and ({listed})
), last as (
    select member_id, claim_id, claim_line_number, max((version, claim_status = 'reversed')) as top
    from lines semi join listed using (member_id, claim_id, claim_line_number) group by all
), met as (
    select member_id, min((claim_start_date, claim_id)) as first
    from listed join last using (member_id, claim_id, claim_line_number)
    where version = top[1] and not top[2] group by member_id
)
select member_id, model_id, model_version, scored_on, score, cast(first is not null as integer) as label,
    first[1] as label_date, first[2] as label_claim_id, age, sex, race, dual_status, disabled,
    case when age < 18 then 'under 18' when age < 65 then '18-64' when age < 75 then '65-74'
         when age < 85 then '75-84' else '85+' end as age_band
from counting left join met using (member_id)
"""
RANGES = (("J00", "J06"), ("J09", "J18"), ("J20", "J22"))


def query(folder: str) -> str:
    """The query over a folder."""
    listed = " or ".join(
        f"left({code}, 3) between '{low}' and '{high}'" for code in ("dx1", "dx2") for low, high in RANGES
    )
    return QUERY.format(folder=folder, listed=listed)


def command(work: Work) -> Command:
    """From the start of Python to a Parquet file."""
    output = work.scratch / "cohort.parquet"
    arguments = [sys.executable, "-m", __name__, str(work.path), str(output)]

    def answers() -> list[Answer]:
        import duckdb

        return [answer(duckdb.connect(), f"read_parquet('{output}')", "age_band")]

    return Command(arguments, answers, output)


def main(folder: str, output: str) -> None:
    """Build the cohort of a folder into a file."""
    import duckdb

    connection = duckdb.connect(config={"threads": THREADS, "preserve_insertion_order": "false"})
    connection.execute("set enable_progress_bar = false")
    connection.execute(f"copy ({query(folder)}) to '{output}' (format parquet)")


if __name__ == "__main__":
    main(*sys.argv[1:])
