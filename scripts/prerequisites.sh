# shellcheck shell=bash
# shellcheck disable=SC2034  # JAVA and PG_BIN are read by the scripts that source this file
# Sourced by the project's scripts, after processes.sh: installs what a command needs and the machine lacks, through
# apt, as root or with sudo. Calls apt only when something is really missing.

# True when sudo works, or can at least ask for a password.
may_use_sudo() {
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || [[ -t 0 ]]
}

# install_packages WHY PACKAGE...
install_packages() {
    local why="$1" log
    shift
    command -v apt-get >/dev/null ||
        fail "$why: this machine has no apt; install by hand what Debian calls: $*"
    local -a as_root=(env DEBIAN_FRONTEND=noninteractive)
    if [[ "$(id -u)" != 0 ]]; then
        may_use_sudo ||
            fail "$why: run this as root or give $(id -un) sudo, or have an administrator run: apt-get install $*"
        as_root=(sudo "${as_root[@]}")
    fi
    say "$why: installing $*"
    log="$(mktemp)"
    # A container image often has no package lists, or stale ones.
    if ! { "${as_root[@]}" apt-get -qq update && "${as_root[@]}" apt-get -qq -y --no-install-recommends install "$@"; } \
        </dev/null >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        fail "apt could not install: $*"
    fi
    rm -f "$log"
}

# require_commands WHY COMMAND=PACKAGE...: installs the packages whose command is not there.
require_commands() {
    local why="$1" pair
    local -a missing=()
    shift
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    if ((${#missing[@]})); then
        mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
        install_packages "$why" "${missing[@]}"
    fi
}

require_cargo() {
    if ! command -v cargo >/dev/null && [[ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
        export PATH
    fi
    command -v cargo >/dev/null || fail "cargo is missing: install a Rust toolchain with rustup, then run this again"
}

# What compiles librdkafka from source, with TLS, SASL and compression.
require_build_tools() {
    local -a missing=()
    require_cargo
    require_commands "building librdkafka" gcc=gcc g++=g++ make=make pkg-config=pkg-config perl=perl \
        python3=python3
    [[ -e /usr/include/openssl/ssl.h ]] || missing+=(libssl-dev)
    [[ -e /usr/include/zlib.h ]] || missing+=(zlib1g-dev)
    ((${#missing[@]} == 0)) || install_packages "building librdkafka" "${missing[@]}"
}

require_client_tools() {
    require_commands "talking to the server" curl=curl jq=jq
}

# java_at_least MAJOR: prints the path of a java of that version or later.
java_at_least() {
    local candidate version
    for candidate in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
        [[ -n "$candidate" && -x "$candidate" ]] || continue
        version="$("$candidate" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)"
        if [[ "$version" =~ ^[0-9]+$ ]] && ((version >= $1)); then
            say "$candidate"
            return
        fi
    done
    return 1
}

# newest_package NAME...: the first of the names that apt can install.
newest_package() {
    local name
    for name in "$@"; do
        if apt-cache policy "$name" 2>/dev/null | grep -q 'Candidate: [^(]'; then
            say "$name"
            return
        fi
    done
    # Without package lists nothing has a candidate yet; the last name is the most widespread.
    say "${!#}"
}

# Sets JAVA to a Java 17 or later, for running Kafka without Docker.
require_java() {
    if ! JAVA="$(java_at_least 17)"; then
        install_packages "running Kafka without Docker (Java 17 or later)" \
            "$(newest_package openjdk-25-jre-headless openjdk-21-jre-headless openjdk-17-jre-headless)"
        JAVA="$(java_at_least 17)" || fail "apt installed no Java 17 or later; set JAVA_HOME to one"
    fi
}

require_maven() {
    require_commands "fetching Kafka's jars" mvn=maven
}

# postgres_major FOLDER: the major version of the server in that folder.
postgres_major() { "$1/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'; }

# newest_postgres: prints the folder of the newest installed PostgreSQL server's programs, 15 or later.
newest_postgres() {
    local folder version best="" best_version=14
    for folder in /usr/lib/postgresql/*/bin "$(pg_config --bindir 2>/dev/null || true)" \
        "$(dirname "$(command -v postgres || true)")"; do
        [[ -x "$folder/postgres" && -x "$folder/initdb" ]] || continue
        version="$(postgres_major "$folder")"
        if [[ "$version" =~ ^[0-9]+$ ]] && ((version > best_version)); then
            best="$folder" best_version="$version"
        fi
    done
    [[ -n "$best" ]] && say "$best"
}

# Sets PG_BIN to the folder of a PostgreSQL server's programs.
require_postgres() {
    if ! PG_BIN="$(newest_postgres)"; then
        local conf=/etc/postgresql-common/createcluster.d/analytics-ingestor.conf
        local -a as_root=()
        [[ "$(id -u)" == 0 ]] || as_root=(sudo)
        # Debian's package would start a server of its own on port 5432, which nobody here asked for.
        if [[ "$(id -u)" == 0 ]] || may_use_sudo; then
            "${as_root[@]}" mkdir -p "${conf%/*}"
            say 'create_main_cluster = false' | "${as_root[@]}" tee "$conf" >/dev/null
        fi
        local installed=yes
        (install_packages "running a private PostgreSQL" postgresql postgresql-client) || installed=no
        "${as_root[@]}" rm -f "$conf"
        [[ "$installed" == yes ]] || exit 1
        PG_BIN="$(newest_postgres)" ||
            fail "apt's PostgreSQL is older than 15 here; set DATABASE_URL to a newer server, or install one:" \
                "/usr/share/postgresql-common/pgdg/apt.postgresql.org.sh adds PostgreSQL's own packages to apt"
    fi
}
