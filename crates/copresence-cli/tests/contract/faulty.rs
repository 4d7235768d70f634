//! `--faults`: what goes wrong, from a file.

use crate::support::program::Fixture;
use serde_json::Value;

fn list(fixture: &Fixture, json: &str) -> String {
    let path = fixture.root().join("faults.json");
    std::fs::write(&path, json).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_visit_meets_the_faults_of_its_file() {
    let fixture = Fixture::new();
    let out = fixture.out();
    let visit = |json: &str| {
        let file = list(&fixture, json);
        let out = out.to_str().expect("UTF-8");
        let args =
            ["visit", "--auto", "--json", "--scenario", "existing-avatar", "--poll", "60ms", "--out", out];
        let ran = fixture.run(&[&args[..], &["--faults", &file]].concat());
        let last: Value = serde_json::from_str(ran.stdout.lines().last().expect("a line")).expect("JSON");
        (last["exit"].clone(), ran.stdout)
    };
    let (exit, lines) = visit(r#"[{"on":"redeem","nth":[1,2],"do":{"status":{"code":503}}}]"#);
    assert_eq!(exit, 0, "{lines}");
    assert!(lines.contains("\"retrying\""), "{lines}");
    let lost = r#"[{"on":"redeem","ready":true,"do":"reset_after_spending"}]"#;
    assert_eq!(visit(lost).0, 10, "the token is spent and the answer lost");
}

#[test]
fn a_list_that_does_not_fit_is_answered_with_the_place() {
    let fixture = Fixture::new();
    let file = list(&fixture, r#"[{"on":"redeem","do":{"status":{"code":"x"}}}]"#);
    for args in [["visit", "--faults", &file], ["sandbox", "--faults", &file]] {
        let said = fixture.run(&args).exits(2).stderr;
        assert!(said.contains("faults.json") && said.contains("[0].do.status.code"), "{said}");
    }
    let said = fixture.run(&["sandbox", "--faults", "no/such.json"]).exits(2).stderr;
    assert!(said.contains("no/such.json"), "{said}");
}

#[test]
fn the_list_of_faults_shows_a_list_for_each() {
    let fixture = Fixture::new();
    let shown = fixture.run(&["sandbox", "--list-faults"]).exits(0).stdout;
    let lines = fixture.run(&["sandbox", "--list-faults", "--json"]).exits(0).stdout;
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
