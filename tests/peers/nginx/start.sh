#!/bin/sh
# Runs nginx in the foreground. Usage: start.sh CONFIG
set -eu
# Debian installs it in /usr/sbin, which is not on the PATH of normal users.
PATH=$PATH:/usr/sbin
# The signal ends nginx and its workers when the test that started this script dies.
exec setpriv --pdeathsig TERM nginx -c "$1"
