#!/bin/sh
# Runs one of the Node programs of this folder in the foreground. Usage: start.sh PROGRAM
set -eu
exec setpriv --pdeathsig KILL node "$(dirname "$0")/$1.js"
