"""Propose an audit from the names of columns and a first look at their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from fairsweep.config.faults import printable
from fairsweep.config.input_columns import NO_HEADER, looks_like_a_row
from fairsweep.errors import Problem, UsageError, did_you_mean, quoted
from fairsweep.input.expressions import NUMBER_PATTERN

# Words in the names of columns, the most specific first.
SCORE_WORDS = (
    "score", "risk", "probability", "proba", "prob", "prediction", "predicted", "pred", "decile", "yhat",
)  # fmt: skip
LABEL_WORDS = (
    "label", "outcome", "target", "true", "actual", "recid", "recidivism", "readmitted", "readmission",
    "died", "death", "mortality", "fell", "default", "event", "observed",
)  # fmt: skip
HORIZON_WORDS = ("year", "years", "day", "days", "month", "months", "30d", "90d", "30", "90", "365")
ATTRIBUTE_WORDS = (
    "race", "ethnicity", "ethnic", "sex", "gender", "age", "dual", "disability", "disabled", "payer",
    "insurer", "insurance", "language", "religion", "marital", "rural", "medicaid",
)  # fmt: skip
MOST_GROUPS = 30
MOST_LABELS = 5


@dataclass(frozen=True)
class Profile:
    """A column as seen in the first rows.

    Attributes:
        name: its name.
        values: the first values as text; None where there is none.
        type: the kind of its values; text if the file has no types.
    """

    name: str
    values: tuple[str | None, ...]
    type: str

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the name: `two_year_recid` has three, and so has `TwoYearRecid`."""
        return tuple(re.findall(r"[a-z]+|[0-9]+[a-z]?", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name).lower()))

    @cached_property
    def distinct(self) -> tuple[str, ...]:
        """The different values in their order of appearance."""
        return tuple(dict.fromkeys(value for value in self.values if value is not None))

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """The different values as numbers; empty where one of them is none."""
        if not all(re.fullmatch(NUMBER_PATTERN, value) for value in self.distinct):
            return ()
        return tuple(float(value) for value in self.distinct)

    def rank(self, telling: Sequence[str]) -> int | None:
        """How specific the name is, 0 most; None if no word matches."""
        return next((place for place, word in enumerate(telling) if word in self.words), None)


@dataclass(frozen=True)
class Wishes:
    """Columns that a person has named, where the names of columns say too little."""

    score: str | None = None
    label: str | None = None
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """The columns of an audit; `others` could be the label as well."""

    score: Profile
    label: Profile
    attributes: tuple[Profile, ...]
    others: tuple[str, ...]


def propose(profiles: Sequence[Profile], wishes: Wishes) -> Proposal:
    """Choose score, label and attributes.

    Raises:
        UsageError: with everything that cannot be derived from the names and values.
    """
    problems: list[Problem] = []
    scores, labels = _scores(profiles), _labels(profiles)
    score = _wished(wishes.score, profiles, "--score", problems) or (scores[0] if scores else None)
    labels = [label for label in labels if label is not score]
    label = _wished(wishes.label, profiles, "--label", problems) or (labels[0] if labels else None)
    named = [_wished(name, profiles, "--attribute", problems) for name in wishes.attributes]
    taken = (score, label)
    found = [one for one in named if one] or [p for p in profiles if _is_attribute(p) and p not in taken]
    for flag, what, choice in (
        ("score", "risk score", score),
        ("label", "label", label),
        ("attribute", "group", found),
    ):
        if not choice and not any(problem.place == f"--{flag}" for problem in problems):
            allowed, step = _choices(profiles, flag)
            problems.append(Problem(f"the {flag}", f"not clear: no column looks like a {what}", allowed, step))
    if problems or score is None or label is None:
        raise UsageError(problems)
    others = tuple(one.name for one in labels if one is not label)
    return Proposal(score, label, tuple(found), others)


def _headless(profiles: Sequence[Profile]) -> bool:
    """Whether the header may contain values of a person instead of column names; then none of them is shown."""
    return looks_like_a_row([(profile.name, profile.type) for profile in profiles])


def _choices(profiles: Sequence[Profile], flag: str) -> tuple[str, str]:
    """The columns there are, and how one is named."""
    if _headless(profiles):
        return "", NO_HEADER
    shown = ", ".join(quoted(printable(profile.name)) for profile in profiles[:20])
    return f"one of {shown}" + (", ..." if len(profiles) > 20 else ""), f"say which with --{flag} COLUMN"


def _wished(name: str | None, profiles: Sequence[Profile], flag: str, problems: list[Problem]) -> Profile | None:
    if name is None:
        return None
    for profile in profiles:
        if profile.name == name:
            return profile
    names = [printable(profile.name) for profile in profiles]
    step = NO_HEADER if _headless(profiles) else did_you_mean(printable(name), names)
    problems.append(Problem(flag, f"{quoted(printable(name))}, which is not a column of the input", "", step))
    return None


def _scores(profiles: Sequence[Profile]) -> list[Profile]:
    """Columns of numbers with a matching name, most specific first; else fractions between 0 and 1."""
    numeric = [profile for profile in profiles if len(profile.numbers) > 1 and profile.type not in {"boolean", "other"}]
    named = [profile for profile in numeric if profile.rank(SCORE_WORDS) is not None]
    many = [profile for profile in named if len(profile.numbers) > 2]
    fractions = [p for p in numeric if len(p.numbers) > 10 and min(p.numbers) >= 0 and max(p.numbers) <= 1]
    return sorted(many or named, key=lambda profile: profile.rank(SCORE_WORDS) or 0) or fractions


def _labels(profiles: Sequence[Profile]) -> list[Profile]:
    """Columns of few values with a matching name: two values first, then those that name a horizon."""
    found = [
        profile
        for profile in profiles
        if profile.rank(LABEL_WORDS) is not None and 1 <= len(profile.distinct) <= MOST_LABELS
        if profile.rank(SCORE_WORDS) is None and profile.type != "other"
    ]
    return sorted(
        found,
        key=lambda p: (
            len(p.distinct) > 2,
            p.rank(HORIZON_WORDS) is None,
            p.rank(LABEL_WORDS) or 0,
            "is" in p.words,
        ),
    )


def _is_attribute(profile: Profile) -> bool:
    if profile.rank(ATTRIBUTE_WORDS) is None or profile.rank(SCORE_WORDS) is not None or not profile.distinct:
        return False
    if needs_breaks(profile):
        return True
    return len(profile.distinct) <= MOST_GROUPS and profile.type in {"text", "boolean", "integer", "date"}


def needs_breaks(profile: Profile) -> bool:
    """Whether a column holds ages in years, of which only bands make groups."""
    return "age" in profile.words and (
        len(profile.numbers) > 12 or (bool(profile.numbers) and profile.type in {"float", "double"})
    )
