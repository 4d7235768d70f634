#!/bin/sh
# Runs PostgreSQL on 127.0.0.1 in the foreground, and creates its data folder if that is empty.
# Usage: postgres.sh DATA_DIR PORT
#
# PostgreSQL refuses to run as root. Root runs it as the user `postgres` of Debian's package, who then owns DATA_DIR.
set -eu
data=$1
port=$2
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
run=
if [ "$(id -u)" = 0 ]; then
    chown postgres "$data"
    run="setpriv --reuid=postgres --regid=postgres --clear-groups"
fi
cd "$data"
if [ ! -s PG_VERSION ]; then
    $run "$bin/initdb" --pgdata="$data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync
fi
# SIGINT is PostgreSQL's fast shutdown. It also arrives when the test that started this script dies.
# shellcheck disable=SC2086
exec $run setpriv --pdeathsig INT "$bin/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c fsync=off -c max_connections=50
