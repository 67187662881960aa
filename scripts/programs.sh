# shellcheck shell=bash
# shellcheck disable=SC2034  # BIN and the pid files are read by the scripts that source this file
# Sourced by the project's scripts, after processes.sh and prerequisites.sh: the project's own programs (server, consumer,
# ctl), what they are built with, and the environment that they run in.

SERVER_PID="$LOCAL/server.pid"
CONSUMER_PID="$LOCAL/consumer.pid"
RUN_PID="$LOCAL/run.pid"
BUILD_PACKAGES=(analytics-ingestor)
LOGS="$LOCAL/logs"

# Sets BIN to the folder of the built programs. PROFILE is release (default) or dev. BUILD_PACKAGES may name more than the
# product's own.
build_programs() {
    local profile="${PROFILE:-release}" folder
    folder="$profile"
    [[ "$profile" != dev ]] || folder=debug
    require_build_tools
    require_client_tools
    BIN="$(cd "$PROJECT" && cargo metadata --no-deps --format-version 1 | jq -r .target_directory)/$folder"
    say "building (profile $profile)"
    (cd "$PROJECT" && cargo build --bins --profile "$profile" "${BUILD_PACKAGES[@]/#/--package=}")
}

# Settings in .env count where the environment has none. Lines are taken literally, nothing in them is run.
load_env_file() {
    local line name
    [[ -f "$PROJECT/.env" ]] || return 0
    while IFS= read -r line || [[ -n "$line" ]]; do
        [[ "$line" =~ ^[A-Z][A-Z0-9_]*= ]] || continue
        name="${line%%=*}"
        [[ -n "${!name+set}" ]] || export "$name=${line#*=}"
    done <"$PROJECT/.env"
}

# Exports DATABASE_URL: the one given, or that of the private PostgreSQL, which is started.
provide_database() {
    if [[ -z "${DATABASE_URL:-}" ]]; then
        "$PROJECT/scripts/postgres.sh" start
        DATABASE_URL="$("$PROJECT/scripts/postgres.sh" url)"
        export DATABASE_URL
    fi
    require_commands "looking into the database" psql=postgresql-client
}

# Exports KAFKA_BROKERS: the one given, or the address of the project's own broker, which is started.
provide_kafka() {
    if [[ -z "${KAFKA_BROKERS:-}" ]]; then
        "$PROJECT/start-kafka.sh"
        KAFKA_BROKERS="127.0.0.1:$(cat "$LOCAL/kafka/port")"
        export KAFKA_BROKERS
    fi
}

# Exports JWT_SECRET: the one given, or one made for this clone and kept.
provide_jwt_secret() {
    if [[ -z "${JWT_SECRET:-}" ]]; then
        if [[ ! -s "$LOCAL/jwt-secret" ]]; then
            mkdir -p "$LOCAL"
            (umask 077 && head -c 48 /dev/urandom | base64 -w 0 >"$LOCAL/jwt-secret")
        fi
        JWT_SECRET="$(cat "$LOCAL/jwt-secret")"
        export JWT_SECRET
    fi
}

# mask_url URL: the URL without its password.
mask_url() { sed -E 's#(://[^:/@]+):.*@#\1:****@#; s#(password=)[^&]*#\1****#' <<<"$1"; }

query() { psql -X -q -tA -v ON_ERROR_STOP=1 -d "$DATABASE_URL" -c "$1"; }
