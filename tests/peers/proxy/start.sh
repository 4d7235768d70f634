#!/bin/sh
# Runs mitmproxy on 127.0.0.1 in the foreground. Usage: start.sh BIN_DIR PORT CONFIG_DIR [OPTION…]
#
# Its root certificate is in CONFIG_DIR/mitmproxy-ca-cert.pem. The options are those of mitmdump.
set -eu
bin=$1
port=$2
config=$3
shift 3
exec setpriv --pdeathsig KILL "$bin/mitmdump" --listen-host 127.0.0.1 --listen-port "$port" \
    --set "confdir=$config" --set connection_strategy=lazy --set flow_detail=1 --set termlog_verbosity=info \
    --scripts "$(dirname "$0")/all_hosts_are_local.py" "$@"
