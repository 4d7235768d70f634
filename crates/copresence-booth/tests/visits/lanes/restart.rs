//! Tickets after the program was stopped or killed: restored, opened by their codes, and in no log.

use super::{
    AvatarState, AvatarStates, PATIENCE, RememberedTicket, apply, assert_shows_no_face, booth_with_states, enter,
    face_size, hand_over, new_ticket, run, until_state, wrong_code,
};
use crate::backend::{Backend, glb};
use crate::fixture::{GENERATE_PATH, open_data_store_and_target, overrides_of_root};
use crate::window::{exits, is_invite, kiosk, until};
use copresence_booth::app::{EnteredPickupCode, ExpectedScreen, Kiosk, KioskSetup, VisitorCommand};
use copresence_booth::view::{LaneSettings, Screen, TicketState};
use copresence_engine::logging::{self, LevelFilter, LogConfig};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program that [`run_and_kill_booth`] kills: hands over three visits, prints tickets and codes, and logs everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a program for other tests"]
async fn run_booth_until_killed() {
    let root = std::env::var("LANES_TEST_ROOT").expect("the folder of the other test");
    let url = std::env::var("LANES_TEST_URL").expect("its backend");
    let _log_file = logging::start_logging(&LogConfig {
        program: "lanes-test",
        data_dir: &Path::new(&root).join("data"),
        stderr_level: LevelFilter::TRACE,
        has_color: false,
        has_time: true,
    });
    let kiosk = kiosk_at(&root, &url);
    kiosk.restore_live_tickets().await;
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let ticket = new_ticket(&kiosk).await;
        println!("ticket {} {} {}", ticket.view.visit, ticket.code, ticket.view.name.to_english_name());
        tickets.push(ticket);
    }
    // Its avatar is saved. The right code is entered on a screen that is not shown, and then a wrong one.
    let RememberedTicket { view, code } = &tickets[0];
    until_state(&kiosk, &view.visit, TicketState::Ready).await;
    let stale = ExpectedScreen { visit: None, revision: Some(0) };
    let command = VisitorCommand::EnterPickupCode { code: EnteredPickupCode(code) };
    kiosk.run_command_if_still_current(command, &stale);
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &view.visit });
    enter(&kiosk, &wrong_code(code)).await;
    println!("ready");
    std::io::stdout().flush().expect("flushed");
    std::future::pending::<()>().await;
}

/// A backend that contradicts itself ends the visit with exit 9, and the avatar is saved: a restart loses no ticket for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_avatar_saved_in_spite_of_a_violation_is_opened_after_a_restart() {
    let (fixture, states) = booth_with_states().await;
    let first = kiosk(&fixture);
    apply(&first, LaneSettings::default(), Some(0));
    states.set(1, AvatarState::Unassociated);
    first.start_visit_or_show_consent();
    until(&first, is_invite).await;
    let ticket = hand_over(&first).await;
    states.set(1, AvatarState::ReadyWithWrongFlag);
    until_state(&first, &ticket.view.visit, TicketState::Ready).await;
    first.stop_visits_for_shutdown().await;
    assert_eq!(exits(&fixture).await, [Some(9)]);

    let restarted = kiosk(&fixture);
    apply(&restarted, LaneSettings::default(), Some(0));
    restarted.restore_live_tickets().await;
    assert_eq!(restarted.current_snapshot().tickets.first().map(|one| one.state), Some(TicketState::Ready));
    run(&restarted, VisitorCommand::ChooseTicket { visit: &ticket.view.visit });
    let opened = enter(&restarted, &ticket.code).await;
    assert!(matches!(opened, Screen::Reveal { .. }), "{opened:?}");
    restarted.stop_visits_for_shutdown().await;
}

/// A booth in this folder, with the backend at this URL.
fn kiosk_at(root: &str, url: &str) -> Kiosk {
    let root = Path::new(root);
    let (data_store, profile, target) = open_data_store_and_target(root, &url.parse().expect("a URL"));
    let (overrides, asset_base) = (overrides_of_root(root), "avatar://localhost".into());
    Kiosk::new(KioskSetup { profile, target, data_store, overrides, phone_address: None, asset_base })
}

/// A ticket of the killed program: visit, code and English name.
type PrintedTicket = (String, String, String);

/// Runs [`run_booth_until_killed`] in a process of its own and kills it. Returns its tickets and its log.
async fn run_and_kill_booth(root: &str, backend: &Backend, states: &AvatarStates) -> (Vec<PrintedTicket>, String) {
    let mut program = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "lanes::restart::run_booth_until_killed", "--ignored", "--nocapture"])
        .env("LANES_TEST_ROOT", root)
        .env("LANES_TEST_URL", backend.url.as_str())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let output = BufReader::new(program.stdout.take().expect("piped"));
    let mut errors = program.stderr.take().expect("piped");
    let log = tokio::task::spawn_blocking(move || {
        let mut log = String::new();
        errors.read_to_string(&mut log).map(|_| log)
    });
    let states = states.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut tickets = Vec::new();
        for line in output.lines() {
            let line = line.expect("text");
            if line == "ready" {
                break;
            }
            // The harness writes the name of the test before the first line.
            if let Some((_, ticket)) = line.split_once("ticket ") {
                let words: Vec<String> = ticket.splitn(3, ' ').map(str::to_owned).collect();
                tickets.push((words[0].clone(), words[1].clone(), words[2].clone()));
                // The avatar of the first is made once all are handed over: before, the screen would show it.
                if tickets.len() == 3 {
                    states.set(1, AvatarState::Ready);
                }
            }
        }
        tickets
    });
    let tickets = tokio::time::timeout(PATIENCE, read).await;
    program.kill().expect("killed");
    program.wait().expect("gone");
    let log = log.await.expect("no panic").expect("text");
    let tickets = tickets.unwrap_or_else(|_| panic!("it did not get so far: {log}")).expect("no panic");
    assert_eq!(tickets.len(), 3, "{log}");
    (tickets, log)
}

async fn backend_with_states() -> (Backend, AvatarStates, tempfile::TempDir) {
    let states = AvatarStates::default();
    let script = states.clone();
    let backend = Backend::start(move |_, request| script.response(request)).await;
    (backend, states, tempfile::tempdir().expect("a folder"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_survive_a_kill() {
    let (backend, states, root) = backend_with_states().await;
    let root = root.path().to_str().expect("UTF-8");
    let (tickets, _) = run_and_kill_booth(root, &backend, &states).await;
    let kiosk = kiosk_at(root, backend.url.as_str());
    kiosk.restore_live_tickets().await;
    kiosk.spawn_recovery_of_earlier_visits();
    let restored = kiosk.current_snapshot();
    assert_eq!(restored.screen, Screen::Attract);
    assert_shows_no_face(&restored);
    let names = restored.tickets.iter().map(|one| (one.visit.clone(), one.name.to_english_name()));
    assert_eq!(
        names.collect::<Vec<_>>(),
        tickets.iter().map(|(visit, _, name)| (visit.clone(), name.clone())).collect::<Vec<_>>()
    );
    assert_eq!(restored.tickets[0].state, TicketState::Ready);
    assert_eq!(kiosk.build_operator_ticket_views()[0].wrong_codes, 1);
    states.set(3, AvatarState::Ready);
    states.set(2, AvatarState::Failed);
    until_state(&kiosk, &tickets[2].0, TicketState::Ready).await;
    until_state(&kiosk, &tickets[1].0, TicketState::Failed).await;
    for token in [3, 1] {
        let (visit, code, _) = &tickets[token - 1];
        run(&kiosk, VisitorCommand::ChooseTicket { visit });
        let opened = enter(&kiosk, code).await;
        assert!(matches!(opened, Screen::Reveal { .. }), "{opened:?}");
        let file = kiosk.shown_visit_file_path(visit, "avatar.glb").expect("shown");
        assert_eq!(std::fs::read(file).expect("read"), glb(face_size(token)));
        kiosk.return_to_start();
    }
    run(&kiosk, VisitorCommand::ChooseTicket { visit: &tickets[1].0 });
    let failed = enter(&kiosk, &tickets[1].1).await;
    assert!(matches!(&failed, Screen::Making { status, .. } if status == "failed"), "{failed:?}");
    assert_eq!(backend.count_requests(GENERATE_PATH), 3);
    kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_and_faces_are_in_no_log_and_no_journal() {
    let (backend, states, root) = backend_with_states().await;
    let (tickets, log) = run_and_kill_booth(root.path().to_str().expect("UTF-8"), &backend, &states).await;
    let data = root.path().join("data");
    let mut texts = vec![log];
    let logs = std::fs::read_dir(data.join("logs")).expect("a log");
    texts.extend(logs.map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("text")));
    assert!(texts.iter().any(|text| text.contains("a command for another screen is ignored")), "it logs commands");
    texts.extend(text_values_of_journal(&data.join("journal.sqlite")));
    assert!(texts.iter().any(|text| text.starts_with("$argon2id$")), "the journal has hashes");
    // The first avatar is saved. A part of its bytes is searched, also as it is printed.
    let face = &glb(face_size(1))[100..164];
    let has_face = |bytes: &[u8]| bytes.windows(face.len()).any(|window| window == face);
    let printed = format!("{face:?}");
    let saved = list_files_below(&root.path().join("out"));
    assert!(saved.iter().any(|path| has_face(&std::fs::read(path).expect("read"))), "it was planted: {saved:?}");
    for path in list_files_below(&data) {
        let bytes = std::fs::read(&path).expect("read");
        let is_printed = String::from_utf8_lossy(&bytes).contains(printed.trim_matches(['[', ']']));
        assert!(!has_face(&bytes) && !is_printed, "a face in {}", path.display());
    }
    for (visit, code, _) in &tickets {
        // Codes that are there for another reason: a year, and a part of an id.
        let year = jiff::Timestamp::now().strftime("%Y").to_string();
        if *code == year || tickets.iter().any(|(visit, ..)| visit.contains(code.as_str())) {
            continue;
        }
        for entered in [code.clone(), wrong_code(code)] {
            let is_code = |word: &str| word == entered;
            let words = |text: &str| text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(is_code);
            let found: Vec<_> = texts.iter().flat_map(|text| text.lines()).filter(|line| words(line)).collect();
            assert!(found.is_empty(), "{entered} of {visit} in {found:?}");
        }
    }
}

/// Every file in a folder and its folders.
fn list_files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, mut files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| list_files_below(folder)));
    files
}

/// Every text in the journal, read as a program would that knows nothing of its tables.
fn text_values_of_journal(path: &Path) -> Vec<String> {
    let journal = rusqlite::Connection::open(path).expect("opens");
    let mut tables = journal.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").expect("reads");
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).expect("reads").collect::<Result<_, _>>().expect("names");
    let mut texts = Vec::new();
    for table in tables {
        let mut rows = journal.prepare(&format!("SELECT * FROM {table}")).expect("reads");
        let columns = rows.column_count();
        let mut rows = rows.query([]).expect("reads");
        while let Some(row) = rows.next().expect("reads") {
            for column in 0..columns {
                match row.get::<_, rusqlite::types::Value>(column).expect("a value") {
                    rusqlite::types::Value::Text(text) => texts.push(text),
                    // Numbers of the other tables are sizes and times.
                    rusqlite::types::Value::Integer(number) if table == "tickets" => texts.push(number.to_string()),
                    rusqlite::types::Value::Blob(bytes) => texts.push(String::from_utf8_lossy(&bytes).into_owned()),
                    _ => {}
                }
            }
        }
    }
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_codes_are_counted_over_a_restart() {
    let (fixture, states) = booth_with_states().await;
    let first = kiosk(&fixture);
    let ticket = new_ticket(&first).await;
    states.set(1, AvatarState::Ready);
    until_state(&first, &ticket.view.visit, TicketState::Ready).await;
    run(&first, VisitorCommand::ChooseTicket { visit: &ticket.view.visit });
    for _ in 0..3 {
        enter(&first, &wrong_code(&ticket.code)).await;
    }
    first.stop_visits_for_shutdown().await;
    let again = kiosk(&fixture);
    again.restore_live_tickets().await;
    run(&again, VisitorCommand::ChooseTicket { visit: &ticket.view.visit });
    let Screen::PickUp { entry, .. } = enter(&again, &ticket.code).await else { panic!("it must wait again") };
    assert!(entry.blocked_until.is_some());
    assert_eq!(again.build_operator_ticket_views()[0].wrong_codes, 3);
    again.stop_visits_for_shutdown().await;
}
