//! `--faults`: a list of faults from a file.

use crate::support::program::TestHome;
use serde_json::Value;

fn write_fault_list(home: &TestHome, json: &str) -> String {
    let path = home.root().join("faults.json");
    std::fs::write(&path, json).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_faults_of_a_file_are_applied() {
    let home = TestHome::new();
    let out = home.out();
    let visit = |json: &str| {
        let file = write_fault_list(&home, json);
        let out = out.to_str().expect("UTF-8");
        let args = ["visit", "--auto", "--json", "--scenario", "existing-avatar", "--poll", "60ms", "--out", out];
        let run = home.run_program(&[&args[..], &["--faults", &file]].concat());
        let last: Value = serde_json::from_str(run.stdout.lines().last().expect("a line")).expect("JSON");
        (last["exit"].clone(), run.stdout)
    };
    let (exit, lines) = visit(r#"[{"on":"redeem","nth":[1,2],"do":{"status":{"code":503}}}]"#);
    assert_eq!(exit, 0, "{lines}");
    assert!(lines.contains("\"retrying\""), "{lines}");
    let lost = r#"[{"on":"redeem","ready":true,"do":"reset_after_spending"}]"#;
    assert_eq!(visit(lost).0, 10, "the token is spent and the response is lost");
}

#[test]
fn an_error_in_a_list_is_reported_with_its_path() {
    let home = TestHome::new();
    let file = write_fault_list(&home, r#"[{"on":"redeem","do":{"status":{"code":"x"}}}]"#);
    for args in [["visit", "--faults", &file], ["sandbox", "--faults", &file]] {
        let error = home.run_program(&args).expect_exit(2).stderr;
        assert!(error.contains("faults.json") && error.contains("[0].do.status.code"), "{error}");
    }
    let error = home.run_program(&["sandbox", "--faults", "no/such.json"]).expect_exit(2).stderr;
    assert!(error.contains("no/such.json"), "{error}");
}

#[test]
fn the_catalogue_has_an_example_for_each_fault() {
    let home = TestHome::new();
    let shown = home.run_program(&["sandbox", "--list-faults"]).expect_exit(0).stdout;
    let lines = home.run_program(&["sandbox", "--list-faults", "--json"]).expect_exit(0).stdout;
    for line in lines.lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        assert!(
            row["example"]["do"].is_string()
                || row["example"]["do"][row["fault"].as_str().expect("a name")].is_object()
        );
        assert!(shown.contains(row["does"].as_str().expect("a sentence")));
    }
    assert!(lines.lines().count() > 10);
}
