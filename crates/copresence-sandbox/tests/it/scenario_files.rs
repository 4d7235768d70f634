//! The files of scenarios: what is read, and what is refused.

use copresence_sandbox::Scenario;
use proptest::prelude::*;
use std::time::Duration;

const HEAD: &str = "name = \"mine\"\nabout = \"x\"\n";

fn problem_of(text: &str) -> String {
    Scenario::parse_scenario_file(text).expect_err(text).to_string()
}

#[test]
fn wrong_file_is_refused_with_line_and_column_and_what_would_be_right() {
    for (rest, says) in [
        ("steps = [", "line 3, column"),
        ("stps = []", "line 3, column 1: unknown field `stps`, expected one of"),
        ("", "line 1, column 1: missing field `steps`"),
        ("steps = []\nscanned = 1", "line 4, column 11: invalid type: integer `1`, expected a boolean"),
        (
            "steps = []\ntoken_lifetime = 15",
            "line 4, column 18: invalid type: integer `15`, expected a time of at most a week, as in",
        ),
        ("steps = []\ntoken_lifetime = \"soon\"", "line 4, column 18: invalid value: string \"soon\", expected a time"),
        (
            "[[steps]]\nstatus = \"waiting\"",
            "line 4, column 10: unknown variant `waiting`, expected one of `in_queue`, `processing`, `failed`",
        ),
        (
            "[[steps]]\nstatus = \"in_queue\"\nlasts = \"1s\"",
            "line 3, column 1: a step `in_queue` needs `queue_position`, as in",
        ),
        (
            "[[steps]]\nstatus = \"in_queue\"\nqueue_position = 0\nlasts = \"1s\"",
            "line 5, column 18: a queue position is a number from 1 to 1000",
        ),
        ("[[steps]]\nstatus = \"in_queue\"\nqueue_position = 2", "needs either `lasts`"),
        (
            "[[steps]]\nstatus = \"processing\"\nprogress = [0, 101]\nlasts = \"1s\"",
            "line 5, column 12: a percentage is a number from 0 to 100",
        ),
        (
            "[[steps]]\nstatus = \"processing\"\nprogress = 1\nlasts = [\"2s\", \"1s\"]",
            "line 6, column 9: the first time is longer",
        ),
        (
            "[[steps]]\nstatus = \"processing\"\nprogress = 1\nlasts = [\"2s\"]",
            "line 6, column 9: invalid length 1, expected a time",
        ),
        (
            "[[steps]]\nstatus = \"processing\"\nprogress = 1\nqueue_position = 1\nlasts = \"1s\"",
            "has no `queue_position`; it may have `progress`, `lasts`",
        ),
        ("[[steps]]\nstatus = \"failed\"\nlasts = \"1s\"", "line 3, column 1: the last step is `failed`"),
        ("steps = []\n[files]\ncopies = 101", "line 5, column 10: `copies` is a number from 0 to 100"),
        ("steps = []\n[files]\nexpired_from = 0", "line 5, column 16: `expired_from` counts"),
        (
            "steps = []\n[[faults]]\non = \"login\"\ndo = \"reset\"",
            "line 4, column 1: a fault of a scenario is on `redeem` or `file`",
        ),
        ("steps = []\n[[faults]]\non = \"redeem\"\ndo = \"ignore_range\"", "line 4, column 1: it applies only to file"),
        ("steps = []\n[[faults]]\non = \"redeem\"\ndo = { status = { cod = 1 } }", "unknown field `cod`"),
        (
            "steps = []\n[[faults]]\non = \"redeem\"\nnth = \"some\"\ndo = \"reset\"",
            "line 6, column 7: invalid value: string \"some\", expected a number from 1",
        ),
    ] {
        let error = problem_of(&format!("{HEAD}{rest}"));
        assert!(error.contains(says), "{rest}\n  {error}\n  {says}");
    }
    assert!(problem_of("name = \"a b\"\nabout = \"x\"\nsteps = []").starts_with("line 1, column 8: a name has"));
}

#[test]
fn column_counts_characters() {
    let error = Scenario::parse_scenario_file("name = \"a\"\nabout = \"äöü\" x\nsteps = []").expect_err("wrong");
    assert_eq!((error.line, error.column), (2, 15));
}

#[test]
fn every_key_is_read() {
    let text = format!(
        "{HEAD}{}",
        r#"token_lifetime = "1h 30m"
        may_expire_early = true
        scanned = false
        existing_avatar_steps = []
        steps = [
            { status = "in_queue", queue_position = [2, 3], lasts_per_position = "500ms" },
            { status = "in_queue", queue_position = 9, lasts = ["1s", "2s"] },
            { status = "processing", progress = [10, 5], lasts = "1.5s" },
            { status = "failed", progress = 7, lasts = "1m" },
            { status = "processing", progress = 1, lasts = "0s" },
        ]
        faults = [
            { on = "redeem", nth = [1, 3], do = { status = { code = 503, retry_after = 2 } } },
            { on = "file", nth = 2, export_type = "glb", ranged = false, do = "reset" },
            { on = "redeem", nth = { rate = 0.5 }, ready = true, do = { wrong_shape = { becomes = { value = [1] } } } },
        ]
        [files]
        copies = 2
        export_types = ["glb"]
        glb_padding = 100
        url_lifetime = "90s"
        expired_from = 3"#
    );
    let scenario = Scenario::parse_scenario_file(&text).expect("valid");
    assert_eq!(scenario.token_lifetime(), Duration::from_mins(90));
    assert!(scenario.may_expire_early() && !scenario.is_associated_by_autoplay());
    let seconds = |from: f64, to: f64| (Duration::from_secs_f64(from), Duration::from_secs_f64(to));
    assert_eq!(scenario.total_duration_range(false), seconds(1.0 + 1.0 + 1.5 + 60.0, 1.5 + 2.0 + 1.5 + 60.0));
}

proptest! {
    /// A change of one place in a valid file gives a scenario, or an error at a line of the file.
    #[test]
    fn changed_file_never_panics(at: prop::sample::Index, to in "[ -~\\n\"äx=\\[\\]{}0-9]{0,3}") {
        let mut text = include_str!("../../scenarios/goes-backwards.toml").to_owned();
        let place = at.index(text.len());
        prop_assume!(text.is_char_boundary(place) && text.is_char_boundary(place + 1));
        text.replace_range(place..=place, &to);
        if let Err(error) = Scenario::parse_scenario_file(&text) {
            prop_assert!(error.line <= text.matches('\n').count() + 1, "{}", error);
        }
    }
}
