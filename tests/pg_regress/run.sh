#!/usr/bin/env bash
# Runs the regression tests on one version of Postgres: tests/pg_regress/run.sh MAJOR [test…]
# `setup` comes first, the others follow by name; what differs is in .local/test/results-MAJOR/regression.diffs.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

major=$1
shift
pg_config=$(test_pg_config "$major")
# One driver for all versions: that in the wheel of PostgreSQL 18 does not run.
pg_regress=$(dirname "$("$(test_pg_config "$(main_major)")" --pgxs)")/../test/regress/pg_regress
output=$LOCAL/test/results-$major

tests=("$@")
if [ ${#tests[@]} -eq 0 ]; then
  mapfile -t tests < <(find "$REPO/tests/pg_regress/sql" -name '*.sql' ! -name setup.sql -printf '%f\n' | sed 's/\.sql$//' | sort)
fi

test_cluster "regress-$major" "$pg_config"
mkdir -p "$output"
if ! "$pg_regress" --inputdir="$REPO/tests/pg_regress" --outputdir="$output" --bindir="$("$pg_config" --bindir)" \
  --host="$PGHOST" --port="$PGPORT" --user="$PGUSER" --dbname=regress --encoding=UTF8 --max-connections=1 \
  setup "${tests[@]}"; then
  head -n 300 "$output/regression.diffs"
  exit 1
fi
