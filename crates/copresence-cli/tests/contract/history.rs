//! `copresence history`: list, show and forget.

use crate::support::backend::{Backend, BackendScript};
use crate::support::program::{RunningProgram, TestHome};
use crate::support::reply::Reply;
use copresence_engine::history::{TicketClosure, TicketRecord};
use copresence_engine::setup::DataStore;
use serde_json::{Value, json};

/// Creates a saved visit and one with an expired token. Returns their ids.
fn create_two_visits() -> (TestHome, [String; 2]) {
    let home = TestHome::new();
    let id = |script: BackendScript, exit: i32| {
        let backend = Backend::start(script);
        let run = RunningProgram::start(home.visit_command(&backend, &[])).wait().expect_exit(exit);
        run.lines().0[0]["visit"].as_str().expect("an id").to_owned()
    };
    let saved = id(BackendScript::default(), 0);
    let redeem = vec![Reply::unscanned(), Reply::no_such_token()];
    let expired = id(BackendScript { redeem, ..BackendScript::default() }, 4);
    (home, [saved, expired])
}

#[test]
fn list_and_show_have_the_outcome_of_each_visit() {
    let (home, [saved, expired]) = create_two_visits();
    let lines = home.run_program(&["history", "list", "--json"]).expect_exit(0).stdout;
    let all: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: Vec<_> = all.iter().filter_map(|visit| visit["visit"].as_str()).collect();
    assert_eq!(ids, [expired.as_str(), saved.as_str()], "the newest first");
    assert_eq!((&all[0]["ended"]["code"], &all[0]["ended"]["exit"]), (&"token_expired".into(), &4.into()));
    assert_eq!(all[1]["ended"]["code"], "saved");

    let people = home.run_program(&["history"]).expect_exit(0).stdout;
    assert!(people.contains(&saved) && people.contains("token_expired"), "{people}");

    let shown = home.run_program(&["history", "show", &saved, "--json"]).expect_exit(0).stdout;
    let shown: Value = serde_json::from_str(&shown).expect("one object");
    assert_eq!(shown["redeems"].as_array().map(Vec::len), Some(4), "{shown}");
    assert_eq!(shown["files"][0]["path"], "avatar.glb");
    assert!(!shown.to_string().contains("/dl/"), "no URL: {shown}");
    let people = home.run_program(&["history", "show", &saved]).expect_exit(0).stdout;
    assert!(people.contains("avatar.glb") && people.contains("with URLs"), "{people}");
    // The last characters of an id are enough.
    let end = &saved[saved.len() - 8..];
    assert!(home.run_program(&["history", "show", end]).expect_exit(0).stdout.contains(&saved));
}

/// Records a ticket, as the window does when it hands a visit over. Closes it with `closed`.
fn record_ticket(home: &TestHome, visit: &str, symbol: &str, closed: Option<&str>) {
    let at = |time: &str| time.parse().expect("a time");
    let ticket = TicketRecord {
        visit: visit.parse().expect("an id"),
        colour: "blue".into(),
        symbol: symbol.into(),
        code_hash: Some("$argon2id$planted-hash".into()),
        place: 0,
        handed_over_at: at("2026-11-29T10:00:00Z"),
        wrong_codes: 2,
        closure: None,
    };
    let data_store = DataStore::open_or_create_data_store(&home.data()).expect("opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        data_store.journal.record_ticket(&ticket).await.expect("recorded");
        if let Some(how) = closed {
            let closure = TicketClosure { how: how.into(), at: at("2026-11-29T10:20:00Z") };
            data_store.journal.close_ticket_and_erase_code(&ticket.visit, &closure).await.expect("closed");
        }
    });
}

#[test]
fn tickets_and_what_became_of_each_token_are_in_the_history() {
    let (home, [saved, expired]) = create_two_visits();
    let printed = |args: &[&str]| home.run_program(args).expect_exit(0);
    let json = |args: &[&str]| -> Vec<Value> {
        let lines = printed(&[args, &["--json"]].concat()).stdout;
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let all = json(&["history"]);
    assert_eq!((&all[0]["token"], &all[1]["token"]), (&json!("abandoned"), &json!("spent")));
    assert_eq!((&all[0]["ticket"], &all[1]["ticket"]), (&Value::Null, &Value::Null));
    assert!(!printed(&["history"]).stderr.contains("Tickets"), "there was no ticket");

    record_ticket(&home, &saved, "comet", Some("picked_up"));
    record_ticket(&home, &expired, "anchor", None);
    let listed = printed(&["history"]).stderr;
    assert!(listed.contains("Export Tokens: 2 issued; 1 spent, 0 active, 1 abandoned."), "{listed}");
    assert!(listed.contains("Tickets: 2 given; 1 of them"), "{listed}");
    let all = json(&["history", "list"]);
    assert_eq!((&all[0]["ticket"]["name"], &all[0]["ticket"]["closed"]), (&json!("Blue Anchor"), &Value::Null));
    let ticket = json!({"name": "Blue Comet", "colour": "blue", "symbol": "comet", "wrong_codes": 2,
        "handed_over_at": "2026-11-29T10:00:00.000Z", "closed": {"how": "picked_up", "at": "2026-11-29T10:20:00.000Z"}});
    assert_eq!(all[1]["ticket"], ticket);
    let shown = json(&["history", "show", &saved]);
    assert_eq!((&shown[0]["ticket"], &shown[0]["token"]), (&ticket, &json!("spent")));
    let text = printed(&["history", "show", &saved]).stdout;
    for part in ["spent: it delivered an avatar", "Blue Comet, given 2026-11-29", "picked up 2026", "2 wrong codes"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(printed(&["history", "show", &expired]).stdout.contains("not picked up yet"));
    for text in [text, format!("{all:?}{shown:?}"), listed] {
        assert!(!text.contains("planted-hash") && !text.contains("argon2"), "the hash of a code: {text}");
    }

    // Tokens stay counted when their visits are forgotten.
    let tokens = json!({"issued": 2, "active": 0, "spent": 1, "abandoned": 1});
    assert_eq!(json(&["history", "tokens"]), std::slice::from_ref(&tokens));
    printed(&["history", "forget", "--all"]);
    assert_eq!(json(&["history", "tokens"]), [tokens]);
    let text = printed(&["history", "tokens"]).stdout;
    assert!(text.contains("2  Export Tokens issued") && text.contains("1  spent: it delivered an avatar"), "{text}");
}

#[test]
fn the_receipt_of_a_visit_says_what_is_stored_and_after_a_deletion_when_it_was_deleted() {
    let (home, [saved, expired]) = create_two_visits();
    let receipt = |id: &str| {
        let run = home.run_program(&["history", "receipt", id, "--json"]).expect_exit(0);
        serde_json::from_str::<Value>(&run.stdout).expect("one object")
    };
    let kinds = |receipt: &Value, is_deleted: bool| {
        let items = receipt["items"].as_array().expect("a list").iter();
        let items = items.filter(|item| item["deleted_at"].is_string() == is_deleted);
        items.map(|item| item["kind"].as_str().expect("a word").to_owned()).collect::<Vec<_>>()
    };
    let stored = receipt(&saved);
    assert_eq!(stored["deleted_at"], Value::Null);
    // The end of a complete visit erases the token, the responses and the URLs.
    assert_eq!(kinds(&stored, true), ["token", "responses"]);
    assert_eq!(kinds(&stored, false), ["avatar-file", "manifest", "journal"], "{stored}");

    // A file of somebody else stays, and the receipt says so.
    let folder = home.saved_folders().pop().expect("an avatar");
    std::fs::write(folder.join("notes.txt"), "mine").expect("written");
    home.run_program(&["history", "forget", "--all"]).expect_exit(0);
    let deleted = receipt(&saved);
    assert!(deleted["deleted_at"].is_string(), "{deleted}");
    assert_eq!(kinds(&deleted, true), ["avatar-file", "manifest", "token", "responses", "journal"], "{deleted}");
    assert_eq!(kinds(&deleted, false), ["foreign-file"], "{deleted}");
    assert_eq!(deleted["started_at"], stored["started_at"]);
    assert_eq!(deleted["ended_code"], "saved");
    let text = deleted.to_string();
    for personal in ["sha256", "api_url", "profile", "http"] {
        assert!(!text.contains(personal), "{personal}: {text}");
    }
    assert_eq!(kinds(&receipt(&expired), false), Vec::<String>::new(), "nothing of the other visit is left");

    let people = home.run_program(&["history", "receipt", &saved[saved.len() - 8..]]).expect_exit(0).stdout;
    for line in [
        "  ended     ",
        "(saved)",
        "  deleted   20",
        "File of the avatar: ",
        "not deleted: this program did not make it",
    ] {
        assert!(people.contains(line), "{line}: {people}");
    }
    let all = home.run_program(&["history", "receipt"]).expect_exit(0).stdout;
    assert_eq!(all.matches("Receipt of visit").count(), 2, "{all}");
    let unknown = home.run_program(&["history", "receipt", "ffffffff"]).expect_exit(2);
    assert!(unknown.stderr.contains("there is no visit `ffffffff`"), "{}", unknown.stderr);
    home.run_program(&["history", "forget", "--receipts"]).expect_exit(0);
    home.run_program(&["history", "receipt", &saved]).expect_exit(2);
}

#[test]
fn words_of_the_backend_cannot_make_lines_of_their_own() {
    let forged = "x\nEnded (exit 0)\u{2028}\u{9b}2J";
    let status = json!({"avatar_ready": false, "payload_incomplete": {"completion_status": forged,
        "completion_progress": -1, "queue_position": -1}});
    let generate = vec![Reply::json(200, &json!({"token": "abcdefgh"}))];
    let redeem = vec![Reply::unscanned(), Reply::json(200, &status)];
    let backend = Backend::start(BackendScript { generate, redeem, ..BackendScript::default() });
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &["--timeout", "700ms"])).wait().expect_exit(8);
    assert!(run.stderr.contains("x Ended (exit 0)"), "{}", run.stderr);
    let is_forged = |line: &str| line.trim_start().starts_with("Ended (exit 0)");
    assert!(!run.stderr.lines().any(is_forged), "{}", run.stderr);
    assert!(!run.stdout.contains(['\u{9b}', '\u{2028}']) && run.stdout.contains("\\u2028\\u009b2J"), "{}", run.stdout);
    let lines = run.lines().0;
    let statuses: Vec<_> = lines.iter().filter_map(|line| line["completion_status"].as_str()).collect();
    assert!(statuses.contains(&forged), "the same value: {statuses:?}");
    let id = lines[0]["visit"].as_str().expect("an id");
    let shown = home.run_program(&["history", "show", id]).expect_exit(0).stdout;
    assert!(!shown.lines().any(is_forged) && !shown.contains(['\u{9b}', '\u{2028}']), "{shown}");
}

#[test]
fn unknown_and_ambiguous_ids_are_2() {
    let (home, _) = create_two_visits();
    let run = home.run_program(&["history", "show", "zzzz"]).expect_exit(2);
    assert!(run.stderr.contains("there is no visit `zzzz`"), "{}", run.stderr);
    let run = home.run_program(&["history", "show", "0"]).expect_exit(2);
    assert!(run.stderr.contains("several"), "{}", run.stderr);
    home.run_program(&["history", "forget", "zzzz"]).expect_exit(2);
    home.run_program(&["history", "forget"]).expect_exit(2);
    home.run_program(&["history", "forget", "--all", "--older-than", "7d"]).expect_exit(2);
    assert_eq!(home.run_program(&["history", "--json"]).stdout.lines().count(), 2, "nothing was forgotten");
}

#[test]
fn forgotten_visits_are_removed_with_their_files() {
    let (home, [saved, expired]) = create_two_visits();
    let folder = home.saved_folders().remove(0);
    assert!(folder.exists());
    home.run_program(&["history", "forget", "--older-than", "7d"]).expect_exit(0);
    assert!(folder.exists(), "the visit is newer");
    let run = home.run_program(&["history", "forget", &saved, "--json"]).expect_exit(0);
    let report: Value = serde_json::from_str(&run.stdout).expect("one object");
    assert_eq!(report["forgotten"][0].as_str(), Some(saved.as_str()));
    assert_eq!(report["unfinished"].as_array().map(Vec::len), Some(0));
    assert!(!folder.exists(), "the files are removed");
    home.run_program(&["history", "show", &saved]).expect_exit(2);
    home.run_program(&["history", "show", &expired]).expect_exit(0);
    home.run_program(&["history", "forget", "--all"]).expect_exit(0);
    assert_eq!(home.run_program(&["history", "--json"]).expect_exit(0).stdout, "");
    let people = home.run_program(&["history"]).expect_exit(0);
    assert!(people.stderr.contains("No visits yet"), "{}", people.stderr);
}

/// M5: a visit that could have been recovered is named when it is forgotten.
#[test]
fn forgetting_names_the_visits_that_could_have_been_recovered() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    RunningProgram::start(home.visit_command(&backend, &["--timeout", "700ms"])).wait().expect_exit(8);
    let run = home.run_program(&["history", "forget", "--all"]).expect_exit(0);
    assert!(
        run.stderr.contains("was unfinished: `copresence recover` can no longer save its avatar"),
        "{}",
        run.stderr
    );
}
