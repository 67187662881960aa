#!/usr/bin/env bash
# usage: ./test-kafka.sh
#
# Checks a running server in Kafka mode from the outside, as its clients see it: signs in, posts events, expects them to
# be queued, waits until the consumer has stored them, shows the lag, checks paging and refusals. Non-zero on any failure.
#
# BASE_URL      of the API, default http://localhost:8080/api
# DATABASE_URL  where the consumer stores, default the project's private PostgreSQL
# WAIT_SECONDS  for an event to be stored, default 30
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/scripts/processes.sh"
# shellcheck source=scripts/prerequisites.sh
source "$PROJECT/scripts/prerequisites.sh"
# shellcheck source=scripts/programs.sh
source "$PROJECT/scripts/programs.sh"

case "${1:-}" in
    "") ;;
    *)
        sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'
        [[ "$1" == -h || "$1" == --help ]] && exit 0
        exit 2
        ;;
esac

BASE_URL="${BASE_URL:-http://localhost:8080/api}"
WAIT_SECONDS="${WAIT_SECONDS:-30}"
SET_A=900e8400-e29b-41d4-a716-4466554400

# request METHOD PATH TOKEN [BODY]: sets STATUS and BODY.
request() {
    local -a options=(-sS --max-time 20 -X "$1" -w $'\n%{http_code}')
    [[ -z "$3" ]] || options+=(-H "Authorization: Bearer $3")
    [[ $# -lt 4 ]] || options+=(-H 'Content-Type: application/json' --data-binary "$4")
    BODY="$(curl "${options[@]}" "$BASE_URL$2" 2>&1)" || fail "$1 $BASE_URL$2: ${BODY%%$'\n'*}"
    STATUS="${BODY##*$'\n'}"
    BODY="${BODY%$'\n'*}"
}

# expect STATUS WHAT: the last request was answered like this.
expect() {
    [[ "$STATUS" == "$1" ]] || fail "$2: expected status $1, got $STATUS: $BODY"
    say "ok    $2 ($1)"
}

# sign_in EMAIL: prints the token, found by its text as the published script finds it: no blank may follow the colon.
sign_in() {
    local token
    request POST /auth/login "" "{\"email\":\"$1\",\"password\":\"test123\"}"
    [[ "$STATUS" == 200 ]] || fail "sign-in of $1: expected status 200, got $STATUS: $BODY (fixtures: ./reset_database.sh)"
    token="$(grep -o '"token":"[^"]*' <<<"$BODY" | sed 's/"token":"//')" || fail "no \"token\":\" in the answer to the sign-in"
    say "$token"
}

# publication EVENT_ID: question 30 is published in session 00, as of this moment.
publication() {
    printf '{"event_id":"%s","event_type":"QUESTION_PUBLISHED","timestamp":"%s","session_id":"%s00","quiz_id":"%s10",' \
        "$1" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$SET_A" "$SET_A"
    printf '"classroom_id":"%s20","question_id":"%s30","timer_sec":60}' "$SET_A" "$SET_A"
}

stored() {
    local key="tenant_id = 1 AND session_id = '${SET_A}00' AND event_id = '$1'"
    [[ "$(query "SELECT count(*) FROM publications WHERE $key")" == 1 ]]
}

# post_and_await EVENT_ID WHAT
post_and_await() {
    request POST /events "$WRITER" "$(publication "$1")"
    expect 201 "$2 is accepted"
    grep -q '"mode":"kafka"' <<<"$BODY" || fail "$2 did not go through Kafka (KAFKA_ENABLED=true?): $BODY"
    say "ok    $2 is queued (\"mode\":\"kafka\")"
    wait_for "$WAIT_SECONDS" stored "$1" ||
        fail "$2 ($1) was not stored within $WAIT_SECONDS s; does the consumer run, and is this its database: $(mask_url "$DATABASE_URL")?"
    say "ok    $2 is in the database"
}

# integer KEY: the number as the text of the last answer has it; a decimal point would break shell arithmetic.
integer() {
    local value
    value="$(grep -o "\"$1\":[^,}]*" <<<"$BODY" | head -n 1 | cut -d: -f2)"
    [[ "$value" =~ ^[0-9]+$ ]] || fail "pagination: $1 is not an integer but '$value'"
    say "$value"
}

check_paging() {
    local report="/reports/active-participants?session_id=${SET_A}00&time_range=24h&page_size=1" page total
    request GET "$report&page=1" "$READER"
    expect 200 "the report's first page"
    page="$(integer page)" total="$(integer total_pages)"
    (($(integer page_size) == 1 && $(integer total_count) >= 0)) || fail "pagination: $BODY"
    ((page == 1 && total >= 1)) || fail "pagination: expected page 1 of at least 1: $BODY"
    request GET "$report&page=$((page + 1))" "$READER"
    expect 200 "the report's next page"
    (($(integer page) == page + 1)) || fail "pagination: expected page $((page + 1)): $BODY"
}

check_refusals() {
    local report="/reports/active-participants?session_id=${SET_A}00"
    request GET "$report" ""
    expect 401 "a report without a token"
    request GET "$report" "not.a.token"
    expect 401 "a report with a token that is none"
    request POST /events "" "{}"
    expect 401 "an event without a token"
    request POST /auth/login "" '{"email":"writer.test@example.com","password":"wrong-password"}'
    expect 401 "a sign-in with a wrong password"
    request GET "$report" "$WRITER"
    expect 403 "a report for a writer"
    request POST /events "$READER" "$(publication "$RANDOM_ID")"
    expect 403 "an event of a reader"
    request POST /events "$WRITER" '{"event_id":'
    expect 400 "an event that is not JSON"
    request POST /events "$WRITER" "{\"event_id\":\"$RANDOM_ID\"}"
    expect 400 "an event without its fields"
    request GET /reports/active-participants "$READER"
    expect 400 "a report without its session"
    request GET "/reports/active-participants?session_id=1" "$READER"
    expect 400 "a report on a session that is no UUID"
}

# The operator's own view; without a built ctl, Kafka's.
show_lag() {
    local target="${CARGO_TARGET_DIR:-$PROJECT/target}" ctl
    ctl="$target/release/ctl"
    [[ ! "$target/debug/ctl" -nt "$ctl" ]] || ctl="$target/debug/ctl"
    if [[ -x "$ctl" ]]; then
        "$ctl" lag || fail "ctl lag did not work"
        return
    fi
    "$PROJECT/scripts/kafka/tool.sh" consumer-groups --describe --group analytics-event-processors
}

require_client_tools
provide_database
if [[ -z "${KAFKA_BROKERS:-}" && -s "$LOCAL/kafka/port" ]]; then
    KAFKA_BROKERS="127.0.0.1:$(cat "$LOCAL/kafka/port")"
    export KAFKA_BROKERS
fi
RANDOM_ID="$(cat /proc/sys/kernel/random/uuid)"

WRITER="$(sign_in writer.test@example.com)"
READER="$(sign_in reader.test@example.com)"
say "ok    writer and reader sign in"
post_and_await "${SET_A}99" "the event that the published script posts"
# That one may be there from an earlier run, this one can't be.
post_and_await "$RANDOM_ID" "a fresh event"
check_paging
check_refusals
show_lag
say "all checks passed"
