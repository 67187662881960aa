#!/usr/bin/env bash
# usage: ./reset_database.sh [--yes]
#
# Empties the database and loads the fixtures (sets A and B). Shows its target and asks first, or takes --yes.
# The target is DATABASE_URL (also from .env), or else the project's private PostgreSQL, which is started if need be.
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/scripts/processes.sh"
# shellcheck source=scripts/prerequisites.sh
source "$PROJECT/scripts/prerequisites.sh"
# shellcheck source=scripts/programs.sh
source "$PROJECT/scripts/programs.sh"

case "${1:-}" in
    "" | --yes) ;;
    *)
        sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'
        [[ "$1" == -h || "$1" == --help ]] && exit 0
        exit 2
        ;;
esac

load_env_file
provide_database
say "target: $(mask_url "$DATABASE_URL")"
if [[ "${1:-}" != --yes ]]; then
    confirm "Remove everything in this database and load the fixtures?" || fail "nothing changed (use --yes to skip the question)"
fi
# Before anything is dropped: a failed build must not leave an empty database.
build_programs
# A schema made anew lacks the rights that a new database's has.
query 'SET client_min_messages = warning; DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;
       GRANT USAGE ON SCHEMA public TO PUBLIC'
"$BIN/ctl" migrate
"$BIN/ctl" seed --yes
say "the database holds the fixtures and nothing else"
