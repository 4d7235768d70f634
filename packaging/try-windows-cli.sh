#!/bin/sh
# Tries the command line of another system through a runner: keeps credentials in its keychain (on Windows the Credential
# Manager), makes a visit, kills one and recovers it, and validates the sandbox.
#
#   packaging/try-windows-cli.sh RUNNER [PROGRAM]
#   packaging/try-windows-cli.sh wine target/x86_64-pc-windows-gnu/debug/copresence.exe
#
# RUNNER starts PROGRAM: wine, or env in a shell of Windows. Paths in the options are relative to a temporary folder, so
# that both systems understand them.
set -eu
runner=${1:?name the runner, such as wine}
program=$(realpath "${2:-target/x86_64-pc-windows-gnu/debug/copresence.exe}")
work=$(mktemp -d)
sandbox=
visit=
clean_up() {
    for process in $visit $sandbox; do
        kill -KILL "$process" 2>/dev/null || :
    done
    wait 2>/dev/null || :
    rm -rf "$work"
}
trap clean_up EXIT
cd "$work"

fail() {
    echo "FAILED: $*" >&2
    for log in *.log; do
        echo "-- $log" >&2
        tail -n 20 "$log" >&2
    done
    exit 1
}
run() {
    (start "$@")
}
# Replaces this shell by the program: behind `&`, `$!` is then the process to kill.
start() {
    exec "$runner" "$program" --config profiles.toml --data-dir data --out out "$@"
}
# The value of a key in the first line of JSON of a file.
json_value() {
    sed -n "1s/.*\"$2\":\"\([^\"]*\)\".*/\1/p" "$1" | tr -d '\r'
}
# Waits until a file has a line with a text, while a process runs.
wait_for_line() {
    tries=0
    until grep -q "$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ] || ! kill -0 "$3" 2>/dev/null; then
            fail "$1 has no line with $2"
        fi
        sleep 0.2
    done
}
saved_avatars() {
    ls out 2>/dev/null | wc -l
}

: >profiles.toml
echo "== Version"
run --version >version.log 2>&1 || fail "--version"
tr -d '\r' <version.log

echo "== A sandbox"
start --json sandbox --listen 127.0.0.1:0 --speed 20 >sandbox.log 2>sandbox.err.log &
sandbox=$!
wait_for_line sandbox.log '"listening"' "$sandbox"
url=$(json_value sandbox.log url)
cat >profiles.toml <<TOML
[profiles.booth]
api_url = "$url"
link = "$url/phone?exportToken={token}"
TOML

echo "== Credentials in the keychain"
printf 'api-key=%s\nusername=%s\npassword=%s\n' "$(json_value sandbox.log api_key)" "$(json_value sandbox.log username)" \
    "$(json_value sandbox.log password)" | run --profile booth credentials set >set.log 2>&1 || fail "credentials set"
run --json --profile booth credentials status >status.log 2>&1 || fail "credentials status"
test "$(grep -c '"set":true' status.log)" = 3 || fail "another process does not find the credentials"
if grep -q -F "$(json_value sandbox.log password)" status.log set.log; then
    fail "a password was printed"
fi

echo "== A visit with these credentials"
run --json --profile booth visit --auto >visit.log 2>&1 || fail "the visit ended with exit code $?"
test "$(saved_avatars)" = 1 || fail "no avatar is saved"

echo "== A visit that is killed, and recovered"
start --json --profile booth visit --auto >killed.log 2>&1 &
visit=$!
wait_for_line killed.log '"event":"invited"' "$visit"
kill -KILL "$visit"
wait "$visit" 2>/dev/null || :
visit=
tries=0
until [ "$(saved_avatars)" = 2 ]; do
    tries=$((tries + 1))
    [ "$tries" -le 60 ] || fail "recovery does not save the avatar"
    run --json --profile booth recover >>recover.log 2>&1 || :
    sleep 1
done
run --json history >history.log 2>&1 || fail "history"
test "$(grep -c '"visit"' history.log)" = 2 || fail "the history has not two visits"

echo "== Validation of the sandbox"
run --profile booth validate --yes --timeout 5m >validate.log 2>&1 || fail "validate ended with exit code $?"
tail -n 3 validate.log

echo "== Health"
run --profile booth doctor >doctor.log 2>&1 || fail "doctor ended with exit code $?"
grep -q "^good *keychain" doctor.log || fail "the keychain is not usable"

echo "== Remove the credentials"
run --profile booth credentials remove >remove.log 2>&1 || fail "credentials remove"
if run --json --profile booth visit --auto >without.log 2>&1; then
    fail "a visit without credentials succeeds"
fi
echo "== All held"
