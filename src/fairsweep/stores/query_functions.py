"""The functions that a query may call: they compute from their arguments, and read nothing else."""

from __future__ import annotations

from typing import Literal

Dialect = Literal["duckdb", "spark"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Nothing here reads files, settings, the environment, the session or the network, runs text as code, or makes tables.
# `explode` and `unnest` make rows of an array's elements.
_BOTH = _names(
    """
    count sum avg mean min max median mode any_value first last stddev stddev_pop stddev_samp variance var_pop var_samp
    corr covar_pop covar_samp skewness kurtosis bool_and bool_or bit_and bit_or bit_xor count_if array_agg string_agg
    listagg max_by min_by percentile_cont percentile_disc approx_count_distinct grouping grouping_id
    regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
    coalesce nullif ifnull if greatest least
    abs acos asin atan atan2 cbrt ceil ceiling cos cot degrees exp factorial floor isnan ln log log10 log2 mod pi pow
    power radians round sign sin sqrt tan bit_count
    ascii bit_length char_length character_length chr concat concat_ws contains lcase left length levenshtein lower lpad
    ltrim md5 octet_length regexp_extract regexp_extract_all regexp_replace repeat replace reverse right rpad rtrim
    split split_part substr substring translate trim ucase upper
    date_add date_diff date_part date_sub date_trunc datediff datepart day dayname dayofmonth dayofweek dayofyear hour
    last_day make_date make_timestamp minute month monthname now quarter second weekday weekofyear year
    to_timestamp
    array_append array_contains array_distinct array_intersect array_position array_prepend array_sort cardinality
    flatten filter
    from_json to_json json_array_length typeof
    """
)
_DUCKDB = _names(
    """
    approx_quantile arg_max arg_min argmax argmin max_by min_by quantile quantile_cont quantile_disc mad histogram
    entropy favg fsum geomean geometric_mean kahan_sum sumkahan product sem group_concat list list_value array_value
    unnest
    array_concat array_cat array_extract array_filter array_has array_has_all array_has_any array_indexof array_length
    array_reverse array_reverse_sort array_slice array_to_string array_transform array_unique array_apply
    len list_any_value list_append list_apply list_avg list_cat list_concat list_contains list_count list_distinct
    list_element list_extract list_filter list_first list_has list_has_all list_has_any list_indexof list_intersect
    list_last list_max list_median list_min list_mode list_position list_prepend list_product list_reduce list_reverse
    list_reverse_sort list_slice list_sort list_stddev_pop list_stddev_samp list_sum list_transform list_unique
    list_var_pop list_var_samp list_zip
    json_array json_contains json_exists json_extract json_extract_path json_extract_path_text json_extract_string
    json_group_array json_group_object json_keys json_object json_quote json_type json_valid json_value array_to_json
    row_to_json
    bar damerau_levenshtein format hamming hex instr jaccard jaro_similarity jaro_winkler_similarity ord prefix printf
    regexp_full_match regexp_matches regexp_split_to_array sha1 sha256 starts_with str_split str_split_regex
    string_split string_split_regex string_to_array strip_accents strlen strpos suffix unicode
    age century current_date datesub datetrunc decade epoch epoch_ms isodow isoyear strftime strptime time_bucket
    to_centuries to_days to_decades to_hours to_minutes to_months to_seconds to_weeks to_years today try_strptime
    week yearweek
    add divide even fdiv fmod gamma gcd isfinite isinf lcm lgamma multiply round_even subtract trunc xor
    """
)
_SPARK = _names(
    """
    any approx_percentile collect_list collect_set every histogram_numeric percentile percentile_approx some std
    try_avg try_sum bool_and
    explode explode_outer posexplode posexplode_outer json_tuple
    aggregate array array_compact array_except array_insert array_join array_max array_min array_remove array_repeat
    array_size array_union arrays_overlap arrays_zip element_at exists forall get map map_from_arrays map_keys
    map_values named_struct reduce size slice sort_array struct transform try_element_at zip_with
    get_json_object json_object_keys
    bigint boolean date decimal double float int smallint string timestamp tinyint
    decode equal_null isnotnull isnull nullifzero nvl nvl2 zeroifnull
    add_months curdate current_date date_format date_from_unix_date dateadd from_unixtime make_interval
    make_dt_interval make_ym_interval months_between next_day timestamp_seconds timestampadd timestampdiff to_char
    to_date to_number trunc try_to_number try_to_timestamp unix_date unix_timestamp
    btrim endswith find_in_set format_number format_string hex ilike initcap instr like locate overlay position printf
    regexp regexp_count regexp_instr regexp_like regexp_substr rlike sha sha1 sha2 soundex startswith str_to_map
    substring_index unhex
    bround conv hypot negative pmod positive rint shiftleft shiftright signum try_add try_divide try_multiply
    try_subtract width_bucket
    """
)
FUNCTIONS: dict[Dialect, frozenset[str]] = {"duckdb": _BOTH | _DUCKDB, "spark": _BOTH | _SPARK}
"""By dialect, in small letters, the names that a query may call."""
ROWS_OF_ARRAYS = _names("explode explode_outer posexplode posexplode_outer json_tuple")
"""The functions that may follow LATERAL."""
WITH_UNITS = _names("dateadd date_add datediff date_diff timestampadd timestampdiff")
"""Functions whose first of three arguments is a unit, which looks like a column."""
UNITS = _names("year quarter month week day dayofyear hour minute second millisecond microsecond")

# An engine takes these names for the session's, where no column is called so, in quotes too.
SESSION_NAMES = _names(
    """
    _metadata current_catalog current_database current_path current_role current_schema current_user session_user
    system_user user
    """
)
"""Names that nothing in a query may have."""
