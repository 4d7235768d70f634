//! `copresence validate --passport`, `--verify` and `--signer`.

use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use crate::support::sandbox::{Sandbox, parse_lines, start_sandbox};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use copresence_validate::passport::PassportSigningKey;
use serde_json::{Value, json};

/// Two private keys, as `openssl genpkey -algorithm ed25519` prints them, one of them without armour.
const KEYS: [&str; 2] = [
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBVwNGntzB7K3irMRW8Cu7rMzKI7j8zduOSkNeM1zNPW\n-----END PRIVATE KEY-----\n",
    "MC4CAQAwBQYDK2VwBCIEIJbWSR5rMJXFZbiw2jMeLmSRuTZuU8f+vftwomyqrnRg",
];

/// Runs the checks that need no token, and signs a passport by this key.
fn sign(home: &TestHome, sandbox: &Sandbox, key: &str, file: &str) -> FinishedRun {
    let mut command = home.command(&["validate", "--api-url", &sandbox.url, "--max-tokens", "0", "--passport", file]);
    command.envs(sandbox.environment.iter().map(|(name, value)| (name, value))).env("COPRESENCE_PASSPORT_KEY", key);
    RunningProgram::start(command).wait()
}

/// The public key in the line that tells who signed.
fn signer(run: &FinishedRun) -> String {
    let line = run.stderr.lines().find(|line| line.starts_with("Wrote ")).unwrap_or_else(|| panic!("{}", run.stderr));
    line.split("signed by ").nth(1).expect("a key").to_owned()
}

#[test]
fn a_passport_is_verified_and_each_problem_has_its_own_exit_code() {
    let home = TestHome::new();
    let sandbox = start_sandbox(&home, &[]);
    let run = sign(&home, &sandbox, KEYS[0], "passport.json").expect_exit(0);
    let ours = signer(&run);
    let theirs = signer(&sign(&home, &sandbox, KEYS[1], "other.json").expect_exit(0));
    assert_ne!(ours, theirs);

    let run = home.run_program(&["validate", "--verify", "passport.json", "--signer", &ours]).expect_exit(0);
    for text in [&*ours, "as --signer says", "Valid: the backend passed all", "recorded requests"] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
    let run = home.run_program(&["validate", "--verify", "passport.json"]).expect_exit(0);
    assert!(run.stdout.contains("compare it with the key that the signer published"), "{}", run.stdout);
    let run = home.run_program(&["validate", "--verify", "other.json", "--signer", &ours]).expect_exit(12);
    assert!(run.stdout.contains(&format!("Not valid: it was signed by {theirs}, not by {ours}")), "{}", run.stdout);

    let text = std::fs::read_to_string(home.root().join("passport.json")).expect("written");
    let secrets = sandbox.environment.iter().map(|(_, value)| value.as_str());
    for secret in secrets.chain(KEYS).filter(|secret| secret.len() > 4) {
        assert!(!text.contains(secret), "a secret of {} characters", secret.len());
    }
    std::fs::write(home.root().join("changed.json"), text.replace("eyJfdHlwZSI", "eyJfdHlwZSj")).expect("written");
    let run = home.run_program(&["validate", "--verify", "changed.json"]).expect_exit(11);
    assert!(run.stdout.contains("the file was changed after"), "{}", run.stdout);
    let run = home.run_program(&["validate", "--json", "--verify", "changed.json"]).expect_exit(11);
    assert_eq!(parse_lines(&run)[0]["code"], "passport_altered");

    let run =
        home.run_program(&["validate", "--json", "--verify", "passport.json", "--signer", &theirs]).expect_exit(12);
    let line = &parse_lines(&run)[0];
    assert_eq!((&line["code"], &line["signer"]), (&"passport_other_signer".into(), &Value::from(ours)));
    assert_eq!((&line["verdict_differences"], &line["requirement_changes"]), (&Value::Array(Vec::new()), &Value::Null));
}

/// Changes the statement of a passport, and signs it again by the same key.
fn change_and_sign_again(home: &TestHome, from: &str, to: &str, change: impl FnOnce(&mut Value)) {
    let envelope: Value =
        serde_json::from_str(&std::fs::read_to_string(home.root().join(from)).expect("written")).expect("JSON");
    let payload = STANDARD.decode(envelope["payload"].as_str().expect("a text")).expect("Base64");
    let mut statement: Value = serde_json::from_slice(&payload).expect("JSON");
    change(&mut statement);
    let (kind, payload) = (envelope["payloadType"].as_str().expect("a text"), statement.to_string());
    let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
    let key = PassportSigningKey::parse_private_key(&KEYS[0].to_owned().into()).expect("a key");
    let signature = STANDARD.encode(key.sign_message(message.as_bytes()));
    let signatures = json!([{"keyid": key.public_signer_key().to_string(), "sig": signature}]);
    let signed = json!({"payloadType": kind, "payload": STANDARD.encode(payload), "signatures": signatures});
    std::fs::write(home.root().join(to), signed.to_string()).expect("written");
}

#[test]
fn verdicts_that_differ_and_an_older_requirement_table_have_their_exit_codes() {
    let home = TestHome::new();
    let sandbox = start_sandbox(&home, &[]);
    sign(&home, &sandbox, KEYS[0], "passport.json").expect_exit(0);
    // The same evidence judged again gives the same verdicts.
    change_and_sign_again(&home, "passport.json", "same.json", |_| ());
    home.run_program(&["validate", "--verify", "same.json"]).expect_exit(0);

    change_and_sign_again(&home, "passport.json", "lied.json", |statement| {
        let checks = statement["predicate"]["checks"].as_array_mut().expect("a list");
        let check = checks.iter_mut().find(|check| check["verdict"] == "pass").expect("a check");
        check["verdict"] = "fail".into();
    });
    let run = home.run_program(&["validate", "--json", "--verify", "lied.json"]).expect_exit(13);
    let line = &parse_lines(&run)[0];
    assert_eq!(line["code"], "passport_verdicts_differ");
    assert_eq!(line["verdict_differences"].as_array().map(Vec::len), Some(1), "{line}");

    change_and_sign_again(&home, "passport.json", "older.json", |statement| {
        let table = &mut statement["predicate"]["requirements"];
        table["version"] = 0.into();
        table["rows"].as_object_mut().expect("an object").remove("SAFE-2");
    });
    let run = home.run_program(&["validate", "--json", "--verify", "older.json"]).expect_exit(14);
    assert_eq!(parse_lines(&run)[0]["code"], "passport_other_requirements");
    let run = home.run_program(&["validate", "--verify", "older.json"]).expect_exit(14);
    assert!(run.stdout.contains("older table of requirements (version 0"), "{}", run.stdout);
}

#[test]
fn a_failed_check_is_told_by_the_exit_code_of_a_run() {
    let home = TestHome::new();
    std::fs::write(
        home.root().join("faults.json"),
        r#"[{"on":"generate","do":{"status":{"code":200,"body":"{\"token\":\"one\"}"}}}]"#,
    )
    .expect("written");
    let sandbox = start_sandbox(&home, &["--faults", "faults.json"]);
    sign(&home, &sandbox, KEYS[0], "passport.json").expect_exit(1);
    let run = home.run_program(&["validate", "--verify", "passport.json"]).expect_exit(1);
    assert!(run.stdout.contains("Valid, but the backend failed generate."), "{}", run.stdout);
    assert!(run.stdout.contains("fail     MUST"), "{}", run.stdout);
}

#[test]
fn a_wrong_key_or_file_is_told_before_a_request_is_sent() {
    let home = TestHome::new();
    let sandbox = start_sandbox(&home, &[]);
    let run = sign(&home, &sandbox, "hunter2", "passport.json").expect_exit(2);
    assert!(run.stderr.contains("COPRESENCE_PASSPORT_KEY: it is not an Ed25519 private key"), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2") && !run.stdout.contains("pass "), "{}{}", run.stderr, run.stdout);
    // Without a key in the environment, and without a keychain.
    let run = sign(&home, &sandbox, "", "passport.json").expect_exit(3);
    assert!(run.stderr.contains("openssl genpkey -algorithm ed25519"), "{}", run.stderr);
    let run = sign(&home, &sandbox, KEYS[0], "no/such/folder.json").expect_exit(2);
    assert!(run.stderr.contains("--passport no/such/folder.json"), "{}", run.stderr);

    std::fs::write(home.root().join("report.json"), r#"{"schema_version": 1}"#).expect("written");
    let run = home.run_program(&["validate", "--verify", "report.json"]).expect_exit(2);
    assert!(run.stderr.contains("--verify report.json: it is not a passport"), "{}", run.stderr);
    let run = home.run_program(&["validate", "--verify", "missing.json"]).expect_exit(2);
    assert!(run.stderr.contains("--verify missing.json: "), "{}", run.stderr);
    let run = home.run_program(&["validate", "--verify", "report.json", "--signer", "abc"]).expect_exit(2);
    assert!(run.stderr.contains("ed25519:"), "{}", run.stderr);
    let run = home.run_program(&["validate", "--verify", "report.json", "--html", "x.html"]).expect_exit(2);
    assert!(run.stderr.contains("cannot be used with"), "{}", run.stderr);
}
