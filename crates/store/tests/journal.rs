//! The journal from outside: its guards, what a crash leaves, what is forgotten, and two readers at once.

mod common;

use common::{at, data, ending, exports, id_of, start, token};
use jiff::Timestamp;
use proptest::prelude::*;
use protocol::{DownloadUrl, ExportToken, ExportType};
use store::{
    DataDir, FileProgress, FileState, Format, Journal, Kept, Phase, PlannedFile, RedeemNo, RedeemOutcome,
    RedeemState, Sha256, StoreError, VisitId,
};

const BODY: &[u8] =
    br#"{"avatar_ready":true,"payload_complete":[{"download_URL":"https://files.test/SECRET-URL"}]}"#;
const TOKEN: &str = "SECRET-TOKEN-0123456789";

fn planned(index: usize, name: &str) -> PlannedFile {
    PlannedFile {
        index,
        name: name.to_owned(),
        export_type: ExportType::new("glb"),
        url: DownloadUrl::new(&format!("https://files.test/SECRET-URL/{index}")).expect("a URL"),
    }
}

/// A visit with a token.
fn issued(journal: &Journal) -> VisitId {
    let id = VisitId::new();
    journal.begin(&start(id, false)).expect("begun");
    journal
        .token_issued(&id, &token(TOKEN), &format!("https://link.test/?token={TOKEN}"), None, at(1))
        .expect("issued");
    id
}

/// A visit whose redeem delivered.
fn delivered(journal: &Journal) -> VisitId {
    let id = issued(journal);
    let no = journal.redeem_intent(&id, at(2)).expect("an intent");
    journal.redeem_answered(&id, no, 200, BODY, at(3)).expect("on disk");
    journal.redeem_read(&id, no, true).expect("read");
    id
}

#[expect(clippy::needless_pass_by_value, reason = "asked of a call's result, which nobody else needs")]
fn is_guard<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Guard { .. }))
}

#[test]
fn a_visit_goes_its_way_and_forgets_its_secrets() {
    let (root, data) = data();
    let journal = data.journal().expect("a journal");
    let id = issued(&journal);
    let no = journal.redeem_intent(&id, at(2)).expect("an intent");
    journal.redeem_answered(&id, no, 200, b"{\"avatar_ready\":false}", at(3)).expect("on disk");
    journal.redeem_read(&id, no, false).expect("read");
    let left = journal.unfinished().expect("read").pop().and_then(|left| left.redeem);
    let state = RedeemState::Answered { status: 200, body: None, delivered: Some(false) };
    assert_eq!(
        left.map(|redeem| redeem.state),
        Some(state),
        "a body without URLs goes as soon as it was read"
    );
    journal.phase_reached(&id, Phase::Associated, at(3)).expect("noted");
    journal.phase_reached(&id, Phase::Associated, at(9)).expect("noted");
    let no = journal.redeem_intent(&id, at(4)).expect("an intent");
    journal.redeem_answered(&id, no, 200, BODY, at(5)).expect("on disk");
    journal.redeem_read(&id, no, true).expect("read");
    journal.files_planned(&id, &[planned(0, "avatar.glb")]).expect("planned");
    journal.file_requested(&id, 0).expect("asked for");
    journal.file_whole(&id, 0, 3, &Sha256::of(b"abc"), Format::Glb).expect("whole");
    assert_eq!(journal.ended(&id, &ending(0)).expect("ended"), Kept::Nothing);

    assert!(journal.unfinished().expect("read").is_empty());
    let detail = journal.visit(&id).expect("read").expect("there");
    assert_eq!(detail.visit.start, start(id, false));
    assert_eq!(detail.visit.ending, Some(ending(0)));
    assert_eq!(detail.visit.times.associated, Some(at(3)));
    assert_eq!(detail.visit.times.redeemed, Some(at(5)));
    assert_eq!(detail.redeems.len(), 2);
    assert!(matches!(
        detail.redeems[0].outcome,
        RedeemOutcome::Answered { status: 200, delivered: Some(false), body_size: 22 }
    ));
    assert!(matches!(&detail.files[0].state, FileState::Whole { bytes: 3, format: Format::Glb, .. }));
    for file in std::fs::read_dir(root.path()).expect("a list") {
        let path = file.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("read");
            let found = bytes.windows(6).any(|window| window == b"SECRET");
            assert!(!found, "a secret is left in {}", path.display());
        }
    }
}

#[test]
fn the_guards_hold_one_by_one() {
    let (_root, data) = data();
    let journal = data.journal().expect("a journal");
    let id = VisitId::new();
    assert!(matches!(journal.redeem_intent(&id, at(0)), Err(StoreError::UnknownVisit { .. })));
    journal.begin(&start(id, false)).expect("begun");
    assert!(is_guard(journal.begin(&start(id, false))), "begun twice");
    assert!(is_guard(journal.redeem_intent(&id, at(1))), "no token");
    journal.token_issued(&id, &token(TOKEN), "link", None, at(1)).expect("issued");
    assert!(is_guard(journal.token_issued(&id, &token("another-token-123"), "link", None, at(1))));

    let no = journal.redeem_intent(&id, at(2)).expect("an intent");
    assert!(is_guard(journal.redeem_intent(&id, at(2))), "two in flight");
    assert!(is_guard(journal.redeem_read(&id, no, true)), "nothing to read");
    assert!(is_guard(journal.files_planned(&id, &[])), "nothing delivered");
    journal.redeem_unanswered(&id, no, "reset after 12 bytes", b"", at(3)).expect("noted");
    assert!(is_guard(journal.redeem_answered(&id, no, 200, BODY, at(3))), "settled already");

    let no = journal.redeem_intent(&id, at(4)).expect("the next");
    assert_eq!(no.get(), 2);
    journal.redeem_answered(&id, no, 200, BODY, at(5)).expect("on disk");
    assert!(is_guard(journal.redeem_intent(&id, at(6))), "the answer is unread");
    journal.redeem_read(&id, no, true).expect("read");
    assert!(is_guard(journal.redeem_read(&id, no, false)), "read twice");
    assert!(is_guard(journal.redeem_intent(&id, at(6))), "the token is spent");

    journal.files_planned(&id, &[planned(0, "avatar.glb")]).expect("planned");
    assert!(is_guard(journal.files_planned(&id, &[planned(1, "avatar-2.glb")])), "planned twice");
    assert!(is_guard(journal.file_requested(&id, 7)), "no such file");
    journal.file_whole(&id, 0, 1, &Sha256::of(b"x"), Format::Glb).expect("whole");
    assert!(is_guard(journal.file_failed(&id, 0, "late", true)), "whole stays whole");
    journal.ended(&id, &ending(7)).expect("ended");
    assert!(is_guard(journal.ended(&id, &ending(0))), "ended twice");
    assert!(is_guard(journal.reopen(&id)), "nothing was kept");
}

#[test]
fn a_crash_leaves_the_raw_answer() {
    let (_root, data) = data();
    let id = {
        let journal = data.journal().expect("a journal");
        let id = issued(&journal);
        let no = journal.redeem_intent(&id, at(2)).expect("an intent");
        journal.redeem_answered(&id, no, 200, BODY, at(3)).expect("on disk");
        id
    };
    let journal = data.journal().expect("opened again");
    let left = journal.unfinished().expect("read").pop().expect("one");
    assert_eq!(left.visit.start.id, id);
    assert_eq!(left.token, Some(token(TOKEN)), "unread, the answer may be one that left the token alive");
    let redeem = left.redeem.expect("a redeem");
    assert_eq!(
        redeem.state,
        RedeemState::Answered { status: 200, body: Some(BODY.to_vec()), delivered: None }
    );
    assert!(!format!("{redeem:?}").contains("SECRET"));

    journal.reopen(&id).expect("taken up");
    journal.redeem_read(&id, redeem.no, true).expect("read");
    journal.files_planned(&id, &[planned(0, "avatar.glb"), planned(1, "avatar-2.glb")]).expect("planned");
    journal
        .file_progress(&id, 0, &FileProgress { bytes: 9, total: Some(20), validator: Some("\"v1\"".into()) })
        .expect("noted");
    journal.file_failed(&id, 1, "410 Gone", true).expect("noted");
    drop(journal);

    let left = data.journal().expect("again").unfinished().expect("read").pop().expect("one");
    assert_eq!(left.token, None, "spent");
    assert_eq!(left.visit.reopened, 1);
    assert_eq!(left.files[0].url.as_ref().map(DownloadUrl::expose), Some("https://files.test/SECRET-URL/0"));
    assert!(matches!(&left.files[0].record.state, FileState::Requested(progress) if progress.bytes == 9));
    assert_eq!(left.files[1].url, None);
    assert!(!format!("{left:?}").contains("SECRET"), "{left:?}");
}

#[test]
fn a_crash_in_flight_leaves_the_intent() {
    let (_root, data) = data();
    let journal = data.journal().expect("a journal");
    let id = issued(&journal);
    let no = journal.redeem_intent(&id, at(2)).expect("an intent");
    let left = journal.unfinished().expect("read").pop().expect("one");
    assert_eq!(left.redeem.map(|redeem| redeem.state), Some(RedeemState::Intent));
    journal
        .redeem_unanswered(&id, no, "the program ended while it was in flight", b"", at(3))
        .expect("noted");
    journal.redeem_intent(&id, at(4)).expect("the next poll decides");
}

#[test]
fn what_an_ending_keeps_is_the_table() {
    let (_root, data) = data();
    let journal = data.journal().expect("a journal");
    for exit in [0, 1, 4, 5, 7, 10, 99] {
        let id = issued(&journal);
        assert_eq!(journal.ended(&id, &ending(exit)).expect("ended"), Kept::Nothing, "exit {exit}");
    }
    assert!(journal.unfinished().expect("read").is_empty());
    for exit in [2, 3, 6, 7, 8, 9, 130] {
        let id = issued(&journal);
        // With 7 it is what has no folder yet that is kept.
        let unfiled = store::Ending { directory: None, ..ending(exit) };
        assert_eq!(journal.ended(&id, &unfiled).expect("ended"), Kept::Token, "exit {exit}");
        let left = journal.unfinished().expect("read").pop().expect("one");
        assert_eq!((left.visit.start.id, left.token.is_some()), (id, true));
        assert!(is_guard(journal.redeem_intent(&id, at(9))), "only after it is taken up again");
        journal.reopen(&id).expect("taken up");
        journal.redeem_intent(&id, at(9)).expect("goes on");
        journal.ended(&id, &ending(4)).expect("ended for good");
        assert!(journal.unfinished().expect("read").is_empty());
    }
    let id = issued(&journal);
    let no = journal.redeem_intent(&id, at(2)).expect("an intent");
    journal.redeem_answered(&id, no, 400, b"{}", at(3)).expect("noted");
    journal.redeem_read(&id, no, false).expect("read");
    assert_eq!(journal.ended(&id, &ending(9)).expect("ended"), Kept::Nothing, "the backend refused it");
    let id = delivered(&journal);
    assert_eq!(
        journal.ended(&id, &ending(9)).expect("ended"),
        Kept::Nothing,
        "saved in spite of a broken rule"
    );
    let id = delivered(&journal);
    assert_eq!(journal.ended(&id, &ending(130)).expect("ended"), Kept::Answer);
    let id = delivered(&journal);
    journal.files_planned(&id, &[planned(0, "avatar.glb")]).expect("planned");
    journal.file_failed(&id, 0, "spent", true).expect("noted");
    assert_eq!(journal.ended(&id, &ending(130)).expect("ended"), Kept::Nothing, "nothing is left to fetch");

    let id = VisitId::new();
    journal.begin(&start(id, true)).expect("begun");
    journal.token_issued(&id, &token(TOKEN), "link", None, at(1)).expect("issued");
    assert_eq!(journal.ended(&id, &ending(130)).expect("ended"), Kept::Nothing, "its backend is gone");
    let id = VisitId::new();
    journal.begin(&start(id, false)).expect("begun");
    assert_eq!(journal.ended(&id, &ending(6)).expect("ended"), Kept::Nothing, "no token was issued");
}

#[test]
fn an_answer_that_comes_after_an_interruption_is_not_lost() {
    let (_root, data) = data();
    let journal = data.journal().expect("a journal");
    let id = issued(&journal);
    let no = journal.redeem_intent(&id, at(2)).expect("an intent");
    journal.ended(&id, &ending(130)).expect("ended");
    journal.redeem_answered(&id, no, 200, BODY, at(3)).expect("taken");
    let left = journal.unfinished().expect("read").pop().expect("one");
    assert!(matches!(
        left.redeem.map(|redeem| redeem.state),
        Some(RedeemState::Answered { body: Some(_), .. })
    ));
}

#[test]
fn history_is_the_newest_first_and_can_be_forgotten() {
    let (_root, data) = data();
    let journal = data.journal().expect("a journal");
    let ids = [issued(&journal), issued(&journal), issued(&journal)];
    let listed: Vec<_> = journal.history().expect("read").iter().map(|visit| visit.start.id).collect();
    assert_eq!(listed, [ids[2], ids[1], ids[0]]);

    let claim = data.claim(&ids[0]).expect("free");
    assert_eq!(id_of(&journal.forget(&claim).expect("forgotten").expect("it was there")), ids[0]);
    assert!(journal.forget(&claim).expect("no error").is_none());
    let claim = data.claim(&ids[1]).expect("free");
    assert!(journal.forget_older_than(at(0)).expect("done").visits.is_empty());
    let gone = journal.forget_all().expect("done");
    assert_eq!((gone.visits.len(), gone.held), (1, vec![ids[1]]));
    drop(claim);
    let gone = journal.forget_older_than(at(1)).expect("done");
    assert_eq!(gone.visits.len(), 1);
    assert!(journal.history().expect("read").is_empty());
}

#[test]
fn another_process_reads_and_is_kept_out_while_this_one_works() {
    let (root, data) = data();
    let journal = data.journal().expect("a journal");
    let id = issued(&journal);
    let _claim = data.claim(&id).expect("free");
    let _no = journal.redeem_intent(&id, at(2)).expect("an intent");
    let child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_other_process", "--ignored", "--nocapture"])
        .env("STORE_TEST_DATA", root.path())
        .env("STORE_TEST_VISIT", id.to_string())
        .output()
        .expect("started");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}");
    assert!(said.contains("the other process saw it all"), "{said}");
    assert_eq!(journal.history().expect("read").len(), 2, "what the other process began");
}

#[test]
#[ignore = "run by the test above, as a process of its own"]
fn the_other_process() {
    let (Ok(path), Ok(id)) = (std::env::var("STORE_TEST_DATA"), std::env::var("STORE_TEST_VISIT")) else {
        return;
    };
    let id: VisitId = id.parse().expect("an id");
    let data = DataDir::open(std::path::Path::new(&path)).expect("opened while in use");
    assert!(matches!(data.claim(&id), Err(StoreError::Held { .. })));
    let journal = data.journal().expect("readable while in use");
    assert!(is_guard(journal.redeem_intent(&id, at(3))), "the guard holds across processes");
    assert_eq!(journal.unfinished().expect("read").len(), 1);
    issued(&journal);
    println!("the other process saw it all");
}

#[test]
fn a_lock_dies_with_its_process() {
    let (root, data) = data();
    let id = VisitId::new();
    let mut child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_holder", "--ignored", "--nocapture"])
        .env("STORE_TEST_DATA", root.path())
        .env("STORE_TEST_VISIT", id.to_string())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("its words")));
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("held"))));
    assert!(matches!(data.claim(&id), Err(StoreError::Held { .. })));
    child.kill().expect("killed");
    child.wait().expect("dead");
    assert!(root.path().join(format!("live/{id}.lock")).exists(), "it had no time to tidy up");
    data.claim(&id).expect("a stale lock never blocks");
}

#[test]
#[ignore = "run by the test above, as a process of its own"]
fn the_holder() {
    let (Ok(path), Ok(id)) = (std::env::var("STORE_TEST_DATA"), std::env::var("STORE_TEST_VISIT")) else {
        return;
    };
    let data = DataDir::open(std::path::Path::new(&path)).expect("opened");
    let _claim = data.claim(&id.parse().expect("an id")).expect("free");
    println!("held");
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
}

#[test]
fn what_is_no_journal_is_said_plainly() {
    let (root, data) = data();
    let path = root.path().join("journal.sqlite");
    std::fs::write(
        &path,
        "this is no database, and long enough to be taken for one by its size alone".repeat(40),
    )
    .expect("written");
    assert_eq!(data.journal().expect_err("refused").code(), "journal_corrupt");

    std::fs::remove_file(&path).expect("removed");
    drop(data.journal().expect("a new one"));
    rusqlite::Connection::open(&path)
        .and_then(|db| db.pragma_update(None, "user_version", 99))
        .expect("from the future");
    let error = data.journal().expect_err("refused");
    assert_eq!(error.code(), "journal_too_new");
    assert!(error.to_string().contains("99"), "{error}");
}

/// One call on one visit.
#[derive(Debug, Clone, Copy)]
enum Call {
    Issue,
    Intent,
    NeverSent,
    Unanswered,
    Answered,
    Read(bool),
    Plan,
    End(u8),
    Reopen,
    /// The process dies, and another opens the journal.
    Crash,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        2 => Just(Call::Issue),
        8 => Just(Call::Intent),
        2 => Just(Call::NeverSent),
        2 => Just(Call::Unanswered),
        5 => Just(Call::Answered),
        4 => Just(Call::Read(false)),
        1 => Just(Call::Read(true)),
        1 => Just(Call::Plan),
        1 => prop::sample::select(vec![0, 4, 8, 10, 130]).prop_map(Call::End),
        2 => Just(Call::Reopen),
        1 => Just(Call::Crash),
    ]
}

/// What an independent witness knows of the visit.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and all combinations occur")]
struct Witness {
    issued: bool,
    open: Option<RedeemNo>,
    unread: Option<RedeemNo>,
    last: Option<RedeemNo>,
    delivered: bool,
    ended: bool,
    kept: bool,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// No sequence of calls opens two intents, or one without a token, after an unread answer, after URLs, or after the end;
    /// and an intent is never refused without one of these reasons.
    #[test]
    fn no_sequence_of_calls_redeems_twice(calls in prop::collection::vec(call(), 1..40)) {
        let (_root, data) = data();
        let mut journal = data.journal().expect("a journal");
        let id = VisitId::new();
        journal.begin(&start(id, false)).expect("begun");
        let mut seen = Witness::default();
        for call in calls {
            match call {
                Call::Issue => {
                    let done = journal.token_issued(&id, &token(TOKEN), "link", None, at(1)).is_ok();
                    prop_assert_eq!(done, !seen.issued && !seen.ended);
                    seen.issued |= done;
                }
                Call::Intent => {
                    let may = seen.issued && seen.open.is_none() && seen.unread.is_none() && !seen.delivered && !seen.ended;
                    let done = journal.redeem_intent(&id, at(2));
                    prop_assert_eq!(done.is_ok(), may, "{:?} {:?}", done, seen);
                    if let Ok(no) = done {
                        prop_assert!(Some(no) > seen.last);
                        (seen.open, seen.last) = (Some(no), Some(no));
                    }
                }
                Call::NeverSent | Call::Unanswered | Call::Answered => {
                    let Some(no) = seen.last else { continue };
                    let done = match call {
                        Call::NeverSent => journal.redeem_never_sent(&id, no, "no route", at(3)),
                        Call::Unanswered => journal.redeem_unanswered(&id, no, "cut", b"", at(3)),
                        _ => journal.redeem_answered(&id, no, 200, BODY, at(3)),
                    };
                    let may = seen.open.is_some() && (!seen.ended || seen.kept);
                    prop_assert_eq!(done.is_ok(), may, "{:?} {:?}", done, seen);
                    if done.is_ok() {
                        seen.open = None;
                        seen.unread = matches!(call, Call::Answered).then_some(no);
                    }
                }
                Call::Read(urls) => {
                    let Some(no) = seen.last else { continue };
                    let done = journal.redeem_read(&id, no, urls).is_ok();
                    prop_assert_eq!(done, seen.unread.is_some());
                    seen.delivered |= done && urls;
                    seen.unread = None;
                }
                Call::Plan => {
                    let done = journal.files_planned(&id, &exports(1)).is_ok();
                    prop_assert!(!done || (seen.delivered && !seen.ended));
                }
                Call::End(exit) => {
                    let done = journal.ended(&id, &ending(exit));
                    prop_assert_eq!(done.is_ok(), !seen.ended);
                    if let Ok(kept) = done {
                        (seen.ended, seen.kept) = (true, kept != Kept::Nothing);
                        prop_assert_eq!(seen.kept, matches!(exit, 8 | 130) && seen.issued);
                    }
                }
                Call::Reopen => {
                    let done = journal.reopen(&id).is_ok();
                    prop_assert_eq!(done, !seen.ended || seen.kept);
                    if done {
                        (seen.ended, seen.kept) = (false, false);
                    }
                }
                Call::Crash => {
                    drop(journal);
                    journal = data.journal().expect("opened again");
                }
            }
            let left = journal.unfinished().expect("read");
            prop_assert_eq!(left.len(), usize::from(!seen.ended || seen.kept));
            let expects_body = seen.unread.is_some() || seen.delivered;
            if let Some(left) = left.first() && expects_body {
                let state = left.redeem.as_ref().map(|redeem| &redeem.state);
                let whole = matches!(state, Some(RedeemState::Answered { body: Some(body), .. }) if body == BODY);
                prop_assert!(whole, "the raw answer is there as long as it is needed: {:?}", state);
            }
        }
    }
}

#[test]
fn a_token_of_any_allowed_form_survives() {
    let (_root, data) = data();
    let journal = data.journal().expect("a journal");
    let odd = ExportToken::new("r:a'b\"c;--/+=~`{}|\\").expect("a token");
    let id = VisitId::new();
    journal.begin(&start(id, false)).expect("begun");
    let expires: Timestamp = at(100);
    journal.token_issued(&id, &odd, "link", Some(expires), at(1)).expect("issued");
    let left = journal.unfinished().expect("read").pop().expect("one");
    assert_eq!(left.token, Some(odd));
    assert_eq!(left.visit.token_expires_at, Some(expires));
}
