//! `copresence history`: what is remembered, shown and forgotten.

use crate::support::backend::{Backend, Script};
use crate::support::program::{Fixture, Live};
use crate::support::reply::Reply;
use serde_json::Value;

/// One saved visit and one whose token ran out; their ids.
fn two() -> (Fixture, [String; 2]) {
    let fixture = Fixture::new();
    let id = |script: Script, exit: i32| {
        let backend = Backend::start(script);
        let ran = Live::start(fixture.visit(&backend, &[])).end().exits(exit);
        ran.lines().0[0]["visit"].as_str().expect("an id").to_owned()
    };
    let saved = id(Script::default(), 0);
    let redeem = vec![Reply::unscanned(), Reply::no_such_token()];
    let expired = id(Script { redeem, ..Script::default() }, 4);
    (fixture, [saved, expired])
}

#[test]
fn list_and_show_say_what_became_of_each() {
    let (fixture, [saved, expired]) = two();
    let lines = fixture.run(&["history", "list", "--json"]).exits(0).stdout;
    let all: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: Vec<_> = all.iter().filter_map(|visit| visit["visit"].as_str()).collect();
    assert_eq!(ids, [expired.as_str(), saved.as_str()], "the newest first");
    assert_eq!((&all[0]["ended"]["code"], &all[0]["ended"]["exit"]), (&"token_expired".into(), &4.into()));
    assert_eq!(all[1]["ended"]["code"], "saved");

    let text = fixture.run(&["history"]).exits(0).stdout;
    assert!(text.contains(&saved) && text.contains("token_expired"), "{text}");

    let shown = fixture.run(&["history", "show", &saved, "--json"]).exits(0).stdout;
    let shown: Value = serde_json::from_str(&shown).expect("one object");
    assert_eq!(shown["redeems"].as_array().map(Vec::len), Some(4), "{shown}");
    assert_eq!(shown["files"][0]["path"], "avatar.glb");
    assert!(!shown.to_string().contains("/dl/"), "no URL: {shown}");
    let text = fixture.run(&["history", "show", &saved]).exits(0).stdout;
    assert!(text.contains("avatar.glb") && text.contains("with URLs"), "{text}");
    // Four letters are enough, at the end, where ids differ.
    let end = &saved[saved.len() - 8..];
    assert!(fixture.run(&["history", "show", end]).exits(0).stdout.contains(&saved));
}

#[test]
fn what_is_unknown_or_ambiguous_is_2() {
    let (fixture, _) = two();
    let ran = fixture.run(&["history", "show", "zzzz"]).exits(2);
    assert!(ran.stderr.contains("there is no visit `zzzz`"), "{}", ran.stderr);
    let ran = fixture.run(&["history", "show", "0"]).exits(2);
    assert!(ran.stderr.contains("several"), "{}", ran.stderr);
    fixture.run(&["history", "forget", "zzzz"]).exits(2);
    fixture.run(&["history", "forget"]).exits(2);
    fixture.run(&["history", "forget", "--all", "--older-than", "7d"]).exits(2);
    assert_eq!(fixture.run(&["history", "--json"]).stdout.lines().count(), 2, "and nothing was forgotten");
}

#[test]
fn what_is_forgotten_is_gone_with_its_files() {
    let (fixture, [saved, expired]) = two();
    let folder = fixture.saved().remove(0);
    assert!(folder.exists());
    fixture.run(&["history", "forget", "--older-than", "7d"]).exits(0);
    assert!(folder.exists(), "it is not that old");
    let ran = fixture.run(&["history", "forget", &saved, "--json"]).exits(0);
    let report: Value = serde_json::from_str(&ran.stdout).expect("one object");
    assert_eq!(report["forgotten"][0].as_str(), Some(saved.as_str()));
    assert!(!folder.exists(), "a face is forgotten with its files");
    fixture.run(&["history", "show", &saved]).exits(2);
    fixture.run(&["history", "show", &expired]).exits(0);
    fixture.run(&["history", "forget", "--all"]).exits(0);
    assert_eq!(fixture.run(&["history", "--json"]).exits(0).stdout, "");
    let text = fixture.run(&["history"]).exits(0);
    assert!(text.stderr.contains("No visits yet"), "{}", text.stderr);
}
