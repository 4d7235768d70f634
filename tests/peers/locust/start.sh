#!/bin/sh
# Runs a Locust master in the foreground. Usage: start.sh LOCUST LOCUSTFILE WORKER_PORT WEB_PORT
set -eu
exec setpriv --pdeathsig KILL "$1" --locustfile "$2" --master --master-bind-host 127.0.0.1 --master-bind-port "$3" \
    --web-host 127.0.0.1 --web-port "$4"
