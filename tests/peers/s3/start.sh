#!/bin/sh
# Runs the S3 server in the foreground. Usage: start.sh PYTHON PORT FILES_DIR BYTES_PER_SECOND
set -eu
python=$1
shift
exec setpriv --pdeathsig KILL "$python" "$(dirname "$0")/server.py" "$@"
