#!/usr/bin/env bash
# usage: scripts/clean-data.sh [--yes]
#
# Stops everything and removes this project's local data: database, topics, logs, development secret. Asks first.
set -euo pipefail
# shellcheck source=scripts/processes.sh
source "$(dirname "${BASH_SOURCE[0]}")/processes.sh"

case "${1:-}" in
    --yes) ;;
    "")
        confirm "Remove all local data of this project ($LOCAL: database, topics, logs, secret)?" ||
            fail "nothing removed (use --yes to skip the question)"
        ;;
    *)
        sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'
        exit 2
        ;;
esac

"$PROJECT/scripts/stop.sh"
"$PROJECT/scripts/postgres.sh" purge --yes
if docker inspect analytics-kafka >/dev/null 2>&1 || docker volume inspect analytics-ingestor_kafka-data >/dev/null 2>&1; then
    docker compose -f "$PROJECT/docker-compose.kafka.yml" down --volumes
fi
# A folder chosen by somebody may hold other things than ours.
if [[ "$LOCAL" == "$PROJECT/.local" ]]; then
    rm -rf "$LOCAL"
else
    rm -rf "${LOCAL:?}"/{kafka,logs,jwt-secret} "$LOCAL"/*.pid "$LOCAL"/*.lock
fi
say "removed the data in $LOCAL"
