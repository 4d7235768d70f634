//! The credential store against a real Secret Service: gnome-keyring with its own D-Bus session and home folder.
//!
//! Each test starts such a session and runs this test program in it (the ignored test [`actor`]). The actor performs
//! the acts in `VAULT_ACTS` and prints each outcome. `secret-tool` verifies the result independently. A test is skipped
//! with a message if the tools are missing, and fails if `CI=true`.
#![cfg(target_os = "linux")]

use copresence_credentials::{CredentialKind, CredentialStore};
use secrecy::{ExposeSecret, SecretString};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// Long enough for a machine under load. Only the tests with [`SILENCED`] reach a timeout, and those set a shorter one.
const PATIENCE: Duration = Duration::from_secs(30);

/// Unlocks the login keyring with the password `pw`, as a login does. Creates it on the first run.
const UNLOCKED: &str = "printf %s pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; offered;";
/// Starts the daemon without a password, as an automatic login does.
const NOT_UNLOCKED: &str = "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1; offered;";
/// Suspends the daemon, so that it accepts calls and responds to none.
const SILENCED: &str =
    "service=$(offered); kill -STOP $service; trap 'kill -KILL $service' EXIT; export service VAULT_PATIENCE_MS=1500;";
/// Defines `offered`, which waits until the daemon has registered its name on the bus, and prints its process id.
const OFFERED: &str = "offered() { for try in $(seq 500); do \
     dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / \
     org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets 2>/dev/null \
     | grep -o '[0-9]*$' && return; sleep 0.02; done; echo 'no Secret Service appeared' >&2; exit 1; };";

#[test]
fn a_credential_is_set_read_replaced_and_removed() {
    let Some(home) = home() else { return };
    let acts = "get p api-key; set p api-key first; get p api-key; set p api-key second; get p api-key; \
                get q api-key; get p password; remove p api-key; remove p api-key; get p api-key; check";
    assert_eq!(
        session(&home, UNLOCKED, acts),
        ["none", "set", "value first", "set", "value second", "none", "none", "removed", "nothing", "none", "ok"]
    );
}

#[test]
fn a_credential_persists_across_sessions_and_is_visible_to_other_programs() {
    let Some(home) = home() else { return };
    assert_eq!(session(&home, UNLOCKED, "set booth session-token r:0123"), ["set"]);
    assert_eq!(session(&home, UNLOCKED, "get booth session-token"), ["value r:0123"]);

    let witness = in_session(
        &home,
        &["dbus-run-session", "--"],
        &format!(
            "{UNLOCKED} secret-tool lookup service copresence-kiosk username booth/session-token; \
             secret-tool lookup service copresence-kiosk username booth/api-key || echo [absent]"
        ),
    );
    let said = text(&witness.stdout);
    assert_eq!(said.lines().last(), Some("r:0123[absent]"));
}

#[test]
fn the_keyring_file_does_not_contain_the_plain_secret() {
    let Some(home) = home() else { return };
    assert_eq!(session(&home, UNLOCKED, "set booth api-key findme0123456789"), ["set"]);
    let keyring = fs::read(home.path().join(".local/share/keyrings/login.keyring")).expect("the login keyring");
    assert!(keyring.windows(16).all(|w| w != b"findme0123456789"));
}

#[test]
fn a_locked_keyring_is_reported_without_a_prompt() {
    let Some(home) = home() else { return };
    assert_eq!(session(&home, UNLOCKED, "set p api-key kept"), ["set"]);
    assert_eq!(
        session(
            &home,
            NOT_UNLOCKED,
            "get p api-key; get p password; set p api-key new; set p username new; remove p api-key; \
             remove p username; check"
        ),
        ["error keychain-locked"; 7]
    );
    assert_eq!(session(&home, UNLOCKED, "get p api-key; get p username"), ["value kept", "none"]);
}

#[test]
fn a_locked_keyring_with_an_empty_password_is_unlocked_without_a_prompt() {
    let Some(home) = home() else { return };
    // The file that “Passwords and Keys” leaves when the keyring gets an empty password.
    let keyrings = home.path().join(".local/share/keyrings");
    fs::create_dir_all(&keyrings).expect("made");
    let keyring = "[keyring]\ndisplay-name=Login\nctime=0\nmtime=0\nlock-on-idle=false\nlock-after=false\n";
    fs::write(keyrings.join("login.keyring"), keyring).expect("written");
    fs::write(keyrings.join("default"), "login").expect("written");
    // As after an automatic login: the keyring is locked, and no program has unlocked it yet.
    let locked = "locked=$(dbus-send --session --print-reply=literal --dest=org.freedesktop.secrets \
        /org/freedesktop/secrets/aliases/default org.freedesktop.DBus.Properties.Get \
        string:org.freedesktop.Secret.Collection string:Locked); [[ $locked == *true* ]] || exit 1;";
    let prepare = format!("{NOT_UNLOCKED}{locked}");
    let acts = "set p api-key kept; get p api-key";
    assert_eq!(session(&home, &prepare, acts), ["set", "value kept"]);
    assert_eq!(session(&home, &prepare, "get p api-key"), ["value kept"]);
    assert_eq!(session(&home, &prepare, "check"), ["ok"]);
    assert_eq!(session(&home, &prepare, "remove p api-key; get p api-key"), ["removed", "none"]);
}

#[test]
fn a_credential_can_be_kept_in_memory_while_the_keyring_is_locked() {
    let Some(home) = home() else { return };
    assert_eq!(session(&home, UNLOCKED, "set p api-key kept"), ["set"]);
    assert_eq!(
        session(&home, NOT_UNLOCKED, "remember p api-key now; get p api-key; get p password"),
        ["remembered", "value now", "error keychain-locked"]
    );
}

#[test]
fn unlock_fails_if_no_prompt_can_be_shown() {
    let Some(home) = home() else { return };
    assert_eq!(session(&home, UNLOCKED, "set p api-key kept"), ["set"]);
    let outcome = session(&home, NOT_UNLOCKED, "unlock");
    assert!(matches!(outcome[0].as_str(), "error keychain-refused" | "error keychain-timed-out"), "{outcome:?}");
}

#[test]
fn a_keychain_without_a_keyring_is_empty_and_cannot_store() {
    let Some(home) = home() else { return };
    assert_eq!(
        session(&home, NOT_UNLOCKED, "get p api-key; set p api-key new; check"),
        ["none", "error keychain-no-keyring", "error keychain-no-keyring"]
    );
}

#[test]
fn an_unresponsive_keychain_times_out_and_nothing_is_written_later() {
    let Some(home) = home() else { return };
    let hang = format!("{UNLOCKED}{SILENCED}");
    assert_eq!(session(&home, &hang, "get p api-key; set p api-key late"), ["error keychain-timed-out"; 2]);

    // The daemon resumes while the abandoned call still waits. That call must not write.
    let acts = "set p api-key late; wake; check; get p api-key; get p api-key";
    assert_eq!(session(&home, &hang, acts), ["error keychain-timed-out", "awake", "ok", "none", "none"]);
}

#[test]
fn a_keychain_that_starts_late_or_restarts_is_found_by_the_same_store() {
    let Some(home) = home() else { return };
    let bus = bare_bus(&home);
    let acts = "get p api-key; start; set p api-key v; restart; get p api-key";
    assert_eq!(
        session_on(&home, &["dbus-run-session", &bus, "--"], "", acts),
        ["error keychain-no-service", "started", "set", "restarted", "value v"]
    );
}

#[test]
fn a_session_without_a_bus_is_reported() {
    let Some(home) = home() else { return };
    let output = actor_command(&["env"], &home, "", "get p api-key; set p api-key v; check")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env("XDG_RUNTIME_DIR", home.path())
        .output()
        .expect("the test program starts");
    assert_eq!(outcomes(&output), ["error keychain-no-bus"; 3]);
}

#[test]
fn a_bus_without_a_keychain_is_reported() {
    let Some(home) = home() else { return };
    let bus = bare_bus(&home);
    let acts = "get p api-key; set p api-key v; remove p api-key; check";
    assert_eq!(session_on(&home, &["dbus-run-session", &bus, "--"], "", acts), ["error keychain-no-service"; 4]);
}

/// Not a test: the part that the tests run inside a session, configured by `VAULT_ACTS`.
#[test]
#[ignore = "run by the other tests inside their sessions"]
fn actor() {
    let Ok(acts) = std::env::var("VAULT_ACTS") else { return };
    let hurried = std::env::var("VAULT_PATIENCE_MS").ok().and_then(|ms| ms.parse().ok());
    let vault =
        CredentialStore::keychain_backed_store().with_keychain_timeout(hurried.map_or(PATIENCE, Duration::from_millis));
    for act in acts.split(';') {
        println!("outcome: {}", perform(&vault, act));
    }
}

fn perform(vault: &CredentialStore, act: &str) -> String {
    let words: Vec<&str> = act.split_whitespace().collect();
    let slot = |word: &str| word.parse::<CredentialKind>().expect("a slot's word");
    let done = match words.as_slice() {
        ["get", profile, word] => vault.get_credential(profile, slot(word)).map(|value| match value {
            Some(value) => format!("value {}", value.expose_secret()),
            None => "none".to_owned(),
        }),
        ["set", profile, word, value] => {
            vault.set_credential(profile, slot(word), &SecretString::from(*value)).map(|()| "set".to_owned())
        }
        ["remember", profile, word, value] => {
            vault.remember_credential_for_run(profile, slot(word), &SecretString::from(*value));
            Ok("remembered".to_owned())
        }
        ["remove", profile, word] => vault
            .remove_credential(profile, slot(word))
            .map(|was| if was { "removed".to_owned() } else { "nothing".to_owned() }),
        ["check"] => vault.check_keychain().map(|()| "ok".to_owned()),
        ["unlock"] => vault.prompt_to_unlock_keychain(PATIENCE).map(|()| "ok".to_owned()),
        ["wake"] => Ok(shell("kill -CONT $service && echo awake")),
        ["start"] => Ok(shell(&format!("{UNLOCKED} echo started"))),
        ["restart"] => Ok(shell(
            "printf %s pw | gnome-keyring-daemon --replace --unlock --components=secrets >/dev/null 2>&1; \
             echo restarted",
        )),
        other => panic!("no such act: {other:?}"),
    };
    done.unwrap_or_else(|error| format!("error {}", error.error_code()))
}

fn shell(script: &str) -> String {
    let output = Command::new("bash").args(["-c", &format!("{OFFERED}{script}")]).output().expect("bash starts");
    let said = text(&output.stdout);
    said.lines().last().unwrap_or_default().to_owned()
}

/// A temporary home folder, or `None` if a tool is missing.
fn home() -> Option<tempfile::TempDir> {
    for tool in ["bash", "dbus-run-session", "dbus-send", "gnome-keyring-daemon", "secret-tool"] {
        let there = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
        if !there.is_ok_and(|output| output.status.success()) {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{tool} is missing");
            println!("not tested: {tool} is missing (apt install dbus-x11 gnome-keyring libsecret-tools)");
            return None;
        }
    }
    Some(tempfile::tempdir().expect("a temporary folder"))
}

/// Option for a session bus that does not start services.
fn bare_bus(home: &tempfile::TempDir) -> String {
    let file = home.path().join("bus.conf");
    let config = "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>\
        <policy context=\"default\"><allow send_destination=\"*\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/>\
        </policy></busconfig>";
    fs::write(&file, config).expect("the folder is writable");
    format!("--config-file={}", file.display())
}

/// Performs `acts` in a session after the script `prepare`. Returns their outcomes.
fn session(home: &tempfile::TempDir, prepare: &str, acts: &str) -> Vec<String> {
    session_on(home, &["dbus-run-session", "--"], prepare, acts)
}

fn session_on(home: &tempfile::TempDir, bus: &[&str], prepare: &str, acts: &str) -> Vec<String> {
    outcomes(&actor_command(bus, home, prepare, acts).output().expect("the session starts"))
}

fn actor_command(launcher: &[&str], home: &tempfile::TempDir, prepare: &str, acts: &str) -> Command {
    let program = std::env::current_exe().expect("this program's path");
    let mut command = launched(
        launcher,
        home.path(),
        &format!("{prepare} '{}' --ignored --exact actor --nocapture --test-threads=1", program.display()),
    );
    command.env("VAULT_ACTS", acts);
    command
}

fn in_session(home: &tempfile::TempDir, launcher: &[&str], script: &str) -> Output {
    launched(launcher, home.path(), script).output().expect("the session starts")
}

fn launched(launcher: &[&str], home: &Path, script: &str) -> Command {
    let mut command = Command::new(launcher[0]);
    command.args(&launcher[1..]).args(["bash", "-c", &format!("{OFFERED}{script}")]);
    command.env("HOME", home).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    for name in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "GNOME_KEYRING_CONTROL"] {
        command.env_remove(name);
    }
    command
}

fn outcomes(output: &Output) -> Vec<String> {
    let out = text(&output.stdout);
    let found: Vec<String> =
        out.lines().filter_map(|line| line.split_once("outcome: ").map(|(_, outcome)| outcome.to_owned())).collect();
    assert!(!found.is_empty(), "nothing came out of the session:\n{out}\n{}", text(&output.stderr));
    found
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
