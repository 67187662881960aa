# shellcheck shell=bash
# Sourced by the project's scripts: where the project's data lies, ports, and processes remembered by pid file.
# A pid alone proves nothing (numbers are used again), so every process is recognised by a text in its command line too.

PROJECT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
# INGESTOR_LOCAL puts data and processes elsewhere, so that a second set of services can run beside the first.
# shellcheck disable=SC2034  # read by the scripts that source this file
LOCAL="${INGESTOR_LOCAL:-$PROJECT/.local}"

say() { printf '%s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# port_taken PORT: something on the loopback address accepts connections there.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port_holder PORT: name and pid of who listens there, as far as this user may know.
port_holder() {
    local holder=""
    if command -v ss >/dev/null; then
        holder="$(ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1, pid \2/p' | head -n 1)"
    fi
    say "${holder:-a process that this user cannot see}"
}

# require_free_port PORT WHAT VARIABLE: refuses to go on when somebody else has the port.
require_free_port() {
    if port_taken "$1"; then
        fail "port $1, wanted for $2, is taken by $(port_holder "$1"). Free it, or choose another with $3=<port>."
    fi
}

# process_is PID TEXT: PID runs and its command line holds TEXT.
process_is() {
    [[ "$1" =~ ^[0-9]+$ ]] && [[ -r "/proc/$1/cmdline" ]] &&
        tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "$2"
}

# recorded_pid PIDFILE TEXT: prints the recorded pid if that process still runs and is ours.
recorded_pid() {
    local pid
    [[ -s "$1" ]] && pid="$(head -n 1 "$1")" && process_is "$pid" "$2" && say "$pid"
}

executed_or_gone() { process_is "$1" "$2" || ! kill -0 "$1" 2>/dev/null; }

# record_process PID PIDFILE TEXT: remembers a process just started. Until it has executed its program it still looks
# like the shell that it was split off from, and would pass for a stranger.
record_process() {
    say "$1" >"$2"
    wait_for 10 executed_or_gone "$1" "$3" || true
}

# wait_for SECONDS COMMAND...: runs the command until it succeeds; false when the time is over.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

process_gone() { ! process_is "$1" "$2"; }

# stop_recorded PIDFILE TEXT SECONDS: asks the process to end, insists after SECONDS, forgets it.
stop_recorded() {
    local pid
    if pid="$(recorded_pid "$1" "$2")"; then
        kill -TERM "$pid" 2>/dev/null || true
        if ! wait_for "$3" process_gone "$pid" "$2"; then
            say "pid $pid did not end within $3 s and is killed"
            kill -KILL "$pid" 2>/dev/null || true
            wait_for 5 process_gone "$pid" "$2" || fail "pid $pid cannot be ended by $(id -un)"
        fi
    fi
    rm -f "$1"
}

# confirm QUESTION: true on the answer yes; false without a terminal to ask on.
confirm() {
    local reply=""
    [[ -t 0 ]] || return 1
    read -r -p "$1 [yes/no] " reply
    [[ "$reply" == yes ]]
}
