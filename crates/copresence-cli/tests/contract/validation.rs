//! `copresence validate`: output, reports and exit codes.

#[cfg(unix)]
use crate::support::program::RunningProgram;
use crate::support::program::TestHome;
use crate::support::sandbox::{Sandbox, file_path, parse_lines, run_validate, start_sandbox};
use serde_json::Value;
use test_port::ReservedPort;

#[test]
fn the_embedded_sandbox_passes_and_every_report_is_written() {
    let home = TestHome::new();
    let (json, json_name) = file_path(&home, "report.json");
    let (html, html_name) = file_path(&home, "report.html");
    let (xml, xml_name) = file_path(&home, "report.xml");
    let (har, har_name) = file_path(&home, "report.har");
    let files = ["--report", &json_name, "--html", &html_name, "--junit", &xml_name, "--har", &har_name];
    let run = home.run_program(&[&["validate"], &files[..]].concat()).expect_exit(0);
    let verdict_line = "pass          MUST   Each URL works once";
    for text in ["This makes 4 Export Tokens", "Passed: all", "(100 %)", verdict_line] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
    #[cfg(unix)]
    for path in [&json, &html, &har] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).expect("written").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "exchanges are readable by their owner only: {}", path.display());
    }
    let read = |path| std::fs::read_to_string(path).expect("written");
    let report: Value = serde_json::from_str(&read(json)).expect("JSON");
    assert_eq!((&report["exit"], &report["target"]["sandbox"]), (&0.into(), &true.into()));
    assert!(read(html).starts_with("<!doctype html>") && read(xml).starts_with("<?xml"));
    let har: Value = serde_json::from_str(&read(har)).expect("JSON");
    assert!(har["log"]["entries"].as_array().is_some_and(|entries| entries.len() > 50));

    let run = home.run_program(&["validate", "--baseline", &json_name, "--max-tokens", "1", "--json"]).expect_exit(0);
    let lines = parse_lines(&run);
    assert_eq!((&lines[0]["event"], &lines[0]["tokens"]), (&"planned".into(), &1.into()));
    let changes = &lines[lines.len() - 2]["changes"];
    let skipped = |change: &Value| change["before"] == "pass" && change["now"] == "skipped";
    assert!(changes.as_array().is_some_and(|all| all.len() > 2 && all.iter().all(skipped)), "{changes}");
    let last = &lines[lines.len() - 1];
    assert_eq!((&last["event"], &last["exit"]), (&"ended".into(), &0.into()));
}

#[test]
fn a_backend_that_breaks_a_must_ends_with_1_and_differs_from_the_sandbox() {
    let home = TestHome::new();
    let (path, faults) = file_path(&home, "faults.json");
    let wrong = r#"[{"on":"redeem","ready":false,"do":{"wrong_shape":{"field":"payload_incomplete.queue_position","becomes":"other_type"}}}]"#;
    std::fs::write(path, wrong).expect("written");
    let wrong = start_sandbox(&home, &["--faults", &faults]);
    let (_, report) = file_path(&home, "wrong.json");
    let run = run_validate(&home, &wrong, &["--report", &report]).expect_exit(1);
    for text in ["fail          MUST", "expected  `queue_position`: -1", "to do     ", "Failed: "] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
    for (_, secret) in &wrong.environment {
        assert!(!run.stdout.contains(secret.as_str()) && !run.stderr.contains(secret.as_str()));
    }
    let run = home.run_program(&["validate", "--compare", "sandbox", &report]).expect_exit(1);
    assert!(run.stdout.contains("payload_incomplete.queue_position"), "{}", run.stdout);
    assert!(run.stdout.contains("difference"), "{}", run.stdout);
    let run = home.run_program(&["validate", "--compare", &report, &report]).expect_exit(0);
    assert!(run.stdout.contains("No difference"), "{}", run.stdout);
}

/// Differences of charsets and cache headers do not bury those that a client notices.
#[test]
fn a_comparison_groups_noise_and_begins_with_differences_of_meaning() {
    let home = TestHome::new();
    let (_, one) = file_path(&home, "one.json");
    home.run_program(&["validate", "--report", &one]).expect_exit(0);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&one).expect("written")).expect("JSON");
    let mut noisy = report.clone();
    for shape in noisy["shapes"].as_object_mut().expect("shapes").values_mut() {
        shape["headers"].as_array_mut().expect("headers").retain(|name| name != "cache-control");
        for kind in shape["content_types"].as_array_mut().expect("types") {
            *kind = format!("{}; charset=utf-8", kind.as_str().expect("a text")).into();
        }
    }
    let write = |name: &str, report: &Value| {
        let (path, name) = file_path(&home, name);
        std::fs::write(path, report.to_string()).expect("written");
        name
    };
    let noise_only = write("noise.json", &noisy);
    let run = home.run_program(&["validate", "--compare", &one, &noise_only]).expect_exit(1);
    assert!(run.stdout.lines().count() < 12, "{}", run.stdout);
    assert!(run.stdout.contains("No difference of meaning") && run.stdout.contains("cache-control"), "{}", run.stdout);

    noisy["shapes"]["redeem: processing"]["fields"]["payload_incomplete.queue_position"] =
        serde_json::json!(["string"]);
    let both = write("both.json", &noisy);
    let run = home.run_program(&["validate", "--compare", &one, &both]).expect_exit(1);
    assert!(run.stdout.starts_with("redeem: processing: payload_incomplete.queue_position"), "{}", run.stdout);
    assert!(run.stdout.contains("1 difference of meaning"), "{}", run.stdout);
    let lines = parse_lines(&home.run_program(&["validate", "--json", "--compare", &one, &both]).expect_exit(1));
    assert_eq!(lines[0]["difference"]["kind"], "meaning", "{}", lines[0]);
    assert!(lines[1..lines.len() - 1].iter().all(|line| line["difference"]["kind"] != "meaning"));
    assert_eq!(lines[lines.len() - 1]["differences_of_meaning"], 1);
}

/// A GLB whose positions are in accessor 4000 of 1.
fn glb_with_missing_positions() -> Vec<u8> {
    let accessor = serde_json::json!({"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"});
    let document = serde_json::json!({
        "asset": {"version": "2.0"},
        "meshes": [{"primitives": [{"attributes": {"POSITION": 4000}}]}],
        "accessors": [accessor],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36}],
    });
    let mut document = document.to_string().into_bytes();
    document.resize(document.len().next_multiple_of(4), b' ');
    let number = |number: usize| u32::try_from(number).expect("small").to_le_bytes();
    let length = 12 + 8 + document.len() + 8 + 36;
    let header = [*b"glTF", number(2), number(length), number(document.len()), *b"JSON"].concat();
    [header, document, number(36).to_vec(), b"BIN\0".to_vec(), vec![0; 36]].concat()
}

#[test]
fn a_hostile_avatar_fails_its_check_and_every_report_is_written() {
    let home = TestHome::new();
    let (folder, assets) = file_path(&home, "assets");
    std::fs::create_dir_all(folder.join("hostile")).expect("a folder");
    std::fs::write(folder.join("hostile/avatar.glb"), glb_with_missing_positions()).expect("written");
    let sandbox = start_sandbox(&home, &["--assets", &assets]);
    let (json, json_name) = file_path(&home, "report.json");
    let (html, html_name) = file_path(&home, "report.html");
    let (xml, xml_name) = file_path(&home, "report.xml");
    let files = ["--report", &json_name, "--html", &html_name, "--junit", &xml_name];
    run_validate(&home, &sandbox, &files).expect_exit(1);
    for path in [json, html, xml] {
        let text = std::fs::read_to_string(&path).expect("written");
        assert!(text.contains("accessor 4000, which does not exist"), "{}", path.display());
    }
}

#[test]
fn refused_credentials_unreachable_backends_and_invalid_usage_have_exit_codes() {
    let home = TestHome::new();
    let mut right = start_sandbox(&home, &[]);
    right.environment[2].1 = "another password".to_owned();
    let run = run_validate(&home, &right, &["--json"]).expect_exit(3);
    assert_eq!(parse_lines(&run).last().expect("a line")["exit"], 3);
    let unused_port = ReservedPort::reserve_port().expect("a port");
    let nowhere = Sandbox { url: format!("http://{unused_port}"), ..right };
    run_validate(&home, &nowhere, &[]).expect_exit(6);
    let without_credentials = home.run_program(&["validate", "--api-url", &nowhere.url]).expect_exit(3);
    assert!(without_credentials.stderr.contains("COPRESENCE_API_KEY"), "{}", without_credentials.stderr);

    let (path, name) = file_path(&home, "no-report.json");
    std::fs::write(path, "{}").expect("written");
    let run = home.run_program(&["validate", "--baseline", &name]).expect_exit(2);
    assert!(run.stderr.contains("no-report.json") && run.stdout.is_empty(), "{}", run.stderr);
    let run = home.run_program(&["validate", "--html", "no/such/folder.html"]).expect_exit(2);
    assert!(run.stderr.contains("--html no/such/folder.html"), "{}", run.stderr);
    let run = home.run_program(&["validate", "--upstream", &nowhere.url, "--api-url", &nowhere.url]);
    assert_eq!(run.exit, Some(3), "credentials come first: {}", run.stderr);
    let help = home.run_program(&["validate", "--help"]).expect_exit(0).stdout;
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_with_130_and_reports_finished_checks() {
    let home = TestHome::new();
    let (path, faults) = file_path(&home, "slow.json");
    // Slow enough to be interrupted, and fast enough to stop quickly.
    std::fs::write(path, r#"[{"on":"redeem","do":{"delay":{"median_ms":500,"sigma":0.0}}}]"#).expect("written");
    let slow = start_sandbox(&home, &["--faults", &faults]);
    let (json, json_name) = file_path(&home, "report.json");
    let mut command = home.command(&["validate", "--json", "--api-url", &slow.url, "--report", &json_name]);
    command.envs(slow.environment.iter().map(|(name, value)| (name, value)));
    let mut program = RunningProgram::start(command);
    program.wait_for_line(|line| line["id"] == "generate.distinct" && line["verdict"] == "pass");
    program.send_signal(rustix::process::Signal::INT);
    let run = program.wait().expect_exit(130);
    let lines = parse_lines(&run);
    let last = &lines[lines.len() - 1];
    assert_eq!((&last["event"], &last["exit"]), (&"ended".into(), &130.into()));
    assert!(last["message"].as_str().is_some_and(|text| text.starts_with("Stopped: 0 of ")), "{last}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(json).expect("written")).expect("JSON");
    let verdict = |id: &str| {
        let checks = report["checks"].as_array().expect("a list");
        checks.iter().find(|check| check["id"] == id).expect("a check")["verdict"].clone()
    };
    assert_eq!((verdict("login.gives-session"), verdict("generate.distinct")), ("pass".into(), "pass".into()));
    assert_eq!(verdict("visit.delivered"), "skipped");
    assert_eq!(report["exit"], 130);
}

/// Runs `validate --json` at a sandbox whose phone is a command.
#[cfg(unix)]
fn run_with_phone(home: &TestHome, sandbox: &Sandbox, phone: &str) -> Vec<Value> {
    // In a link, characters that a shell would interpret.
    let link = "https://app.test/$(touch pwned);`touch pwned`?a='&exportToken={token}";
    let run = run_validate(home, sandbox, &["--json", "--phone", phone, "--link", link]);
    parse_lines(&run)
}

#[cfg(unix)]
#[test]
fn a_command_plays_the_phone_and_gets_the_link_uninterpreted() {
    let home = TestHome::new();
    let sandbox = start_sandbox(&home, &[]);
    let (script, script_name) = file_path(&home, "phone.sh");
    std::fs::write(
        script,
        "printf '%s\\n' \"$COPRESENCE_PHONE_LINK\" \"$2\" \"${COPRESENCE_API_KEY-no key}\" > seen\nexit 3\n",
    )
    .expect("written");
    let lines = run_with_phone(&home, &sandbox, &format!("sh '{script_name}' --link {{link}}"));
    let needed: Vec<_> = lines.iter().filter(|line| line["event"] == "phone_needed").collect();
    assert_eq!(needed.len(), 1, "{lines:?}");
    let link = needed[0]["link"].as_str().expect("a link");
    assert!(link.starts_with("https://app.test/$(touch pwned);`touch pwned`?a='&exportToken="), "{link}");
    assert!(needed[0]["purpose"].as_str().is_some_and(|purpose| purpose.contains("avatar")), "{}", needed[0]);
    let seen = std::fs::read_to_string(home.root().join("seen")).expect("the command ran");
    assert_eq!(seen, format!("{link}\n{link}\nno key\n"), "in the environment, and as an argument");
    assert!(!home.root().join("pwned").exists(), "no shell saw the link");
    let check = |lines: &[Value]| lines.iter().find(|line| line["id"] == "visit.delivered").expect("a check").clone();
    let delivered = check(&lines);
    assert_eq!(delivered["verdict"], "inconclusive", "{delivered}");
    assert!(delivered["detail"].as_str().is_some_and(|why| why.contains("sh: exit status: 3")), "{delivered}");

    let delivered = check(&run_with_phone(&home, &sandbox, "no-such-program-4711 {link}"));
    assert!(delivered["detail"].as_str().is_some_and(|why| why.contains("no-such-program-4711")), "{delivered}");
    for wrong in [["--phone", "true", "--no-phone"], ["--phone", "sh -c 'open", "--json"], ["--phone", " ", "--json"]] {
        run_validate(&home, &sandbox, &wrong).expect_exit(2);
    }
}
