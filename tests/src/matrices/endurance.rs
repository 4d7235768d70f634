//! Endurance: one process serves visitor after visitor at a backend that fails at random. What it holds must not
//! grow, and every avatar that the backend delivered must be accounted for.

use crate::booth::{Booth, PROFILE, scan};
use crate::report::{Breach, Report, Table};
use crate::stand::{self, Stand};
use crate::{Options, Trouble};
use copresence_sandbox::{Sandbox, Settings, TokenPhase};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Visitors of the bounded form, and of the long one.
const VISITORS: (u32, u32) = (60, 1_000);
/// An avatar in a third of a second.
const SPEED: f64 = 60.0;
/// What may still be growing is not measured: caches fill in the first of so many parts.
const PARTS: usize = 5;

/// By so much memory may differ, in KiB, for noise; and beyond it, for each visitor.
const MEMORY: (f64, f64) = (4_096.0, 1.0);
/// Files and tasks come and go with the visits that are under way: about ten files each, and the slower the machine,
/// the more of them are. What is lost with every visitor goes far beyond it in the long form.
const SPARE: f64 = 24.0;
/// What is left on the disk when every visit is forgotten: journal, lock files, logs.
const DISK: u64 = 4 << 20;

/// At random; each leaves the truth about the token to be found out.
const FAULTS: &str = r#"[
    {"on":"login","nth":{"rate":0.2},"do":"reset"},
    {"on":"generate","nth":{"rate":0.03},"do":{"status":{"code":503}}},
    {"on":"generate","nth":{"rate":0.02},"do":"reset_after_spending"},
    {"on":"redeem","nth":{"rate":0.03},"do":{"status":{"code":500}}},
    {"on":"redeem","nth":{"rate":0.03},"do":"reset"},
    {"on":"redeem","nth":{"rate":0.02},"do":"reset_after_spending"},
    {"on":"redeem","nth":{"rate":0.01},"do":{"cut_body":{"after":250}}},
    {"on":"redeem","nth":{"rate":0.005},"do":"hang"},
    {"on":"redeem","nth":{"rate":0.02},"do":"coded"},
    {"on":"file","nth":{"rate":0.05},"do":{"status":{"code":502}}},
    {"on":"file","nth":{"rate":0.05},"do":{"cut_body":{"after":20000,"by":"reset"}}},
    {"on":"file","nth":{"rate":0.02},"do":{"cut_body":{"after":30000}}},
    {"on":"file","nth":{"rate":0.02},"do":"reset_after_spending"},
    {"on":"file","nth":{"rate":0.01},"do":"error_page"},
    {"on":"file","ranged":true,"nth":{"rate":0.2},"do":"ignore_range"}
]"#;

/// What the program said.
#[derive(Default)]
struct Told {
    holds: Vec<Value>,
    /// How each visit ended, by its id.
    past: BTreeMap<String, String>,
    over: bool,
    stderr: String,
}

pub(crate) fn run(options: &Options) -> Result<Report, Trouble> {
    let began = Instant::now();
    let program = stand::program()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let settings = Settings { seed: options.seed, speed: SPEED, ..Settings::default() };
    let booth = Booth::open(&program, runtime.handle(), settings)?;
    let (stand, sandbox) = (&booth.stand, booth.sandbox());
    sandbox.set_faults(copresence_sandbox::faults::parse_faults(FAULTS.as_bytes())?)?;
    sandbox.watch_requests(|sandbox, line| {
        if line.path == "/redeemExportToken" {
            scan(sandbox);
        }
    });

    let visitors = if options.long { VISITORS.1 } else { VISITORS.0 };
    let mut day = Command::new(beside(&program)?);
    stand.dress(&mut day);
    day.arg(&booth.config).arg(PROFILE).arg(stand.data()).arg(stand.out()).arg(visitors.to_string());
    booth.let_in(&mut day);
    // With an arena a thread glibc spreads what it holds wider and wider, which hides what a leak would add.
    day.env("MALLOC_ARENA_MAX", "1");
    let told = follow(day)?;
    let struck: u64 = sandbox.faults().iter().map(|state| state.struck).sum();

    // What the end of the day cut short is the business of the next morning.
    sandbox.clear_faults();
    let recovered = stand::run(booth.recover())?;
    let mut past = told.past.clone();
    for line in recovered.lines().iter().filter(|line| line["event"] == "ended") {
        past.insert(word(&line["visit"]), word(&line["code"]));
    }
    let past = tally(&past);
    let mut breaches = judge(&told, &past, sandbox, visitors);
    if recovered.hung || recovered.exit.is_none() {
        breaches.push(format!("recover did not end well: {}", recovered.told()));
    }
    breaches.extend(disk(stand)?);
    breaches.extend(stand.strangers_touched());
    let again = options.again("endurance", "");
    let breach = |what| Breach { cell: "endurance".to_owned(), what, again: again.clone() };
    Ok(Report {
        title: "Endurance".to_owned(),
        about: format!(
            "One process serves {visitors} visitors in a row, some of whom walk away, at a sandbox with faults at \
             random ({struck} of them struck in this run). What the process holds is taken after each visitor; the \
             table has the means of five equal parts of the day. The last is held to the second, within noise."
        ),
        tables: vec![held(&told), ends(&past)],
        breaches: breaches.into_iter().map(breach).collect(),
        cells: visitors as usize,
        took: began.elapsed(),
    })
}

/// The program of the day stands beside `copresence`, among the examples.
fn beside(program: &Path) -> Result<PathBuf, Trouble> {
    let day = program.with_file_name("examples").join(format!("day{}", std::env::consts::EXE_SUFFIX));
    if day.is_file() {
        return Ok(day);
    }
    Err(format!("there is no {}: `cargo build -p copresence-booth --example day` makes it", day.display())
        .into())
}

/// Runs it to its end, and takes in what it says.
fn follow(mut command: Command) -> Result<Told, Trouble> {
    let mut child = command.spawn()?;
    let mut told = Told::default();
    let stderr = child.stderr.take().ok_or("no pipe")?;
    let stderr = std::thread::spawn(move || {
        let mut text = String::new();
        _ = BufReader::new(stderr).read_to_string(&mut text);
        text
    });
    for line in BufReader::new(child.stdout.take().ok_or("no pipe")?).lines() {
        let line: Value = serde_json::from_str(&line?)?;
        if line["holds"].is_object() {
            told.holds.push(line["holds"].clone());
        }
        if line["past"].is_string() && line["unfinished"] == false {
            told.past.insert(word(&line["past"]), word(&line["code"]));
        }
        told.over |= line["over"] == true;
    }
    told.over &= child.wait()?.success();
    told.stderr = stderr.join().unwrap_or_default();
    Ok(told)
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// How many visits ended in each way.
fn tally(past: &BTreeMap<String, String>) -> BTreeMap<String, u32> {
    let mut ends = BTreeMap::new();
    for code in past.values() {
        *ends.entry(code.clone()).or_default() += 1;
    }
    ends
}

const HELD: [(&str, &str); 3] =
    [("resident_kib", "memory, KiB"), ("open_files", "open files"), ("tasks", "tasks")];

/// The mean of one part of the day, from 0.
fn mean(told: &Told, what: &str, part: usize) -> f64 {
    let visits = &told.holds[..told.holds.len().saturating_sub(1)];
    let (from, to) = (visits.len() * part / PARTS, visits.len() * (part + 1) / PARTS);
    let part: Vec<f64> = visits[from..to].iter().filter_map(|holds| holds[what].as_f64()).collect();
    let count = u32::try_from(part.len()).unwrap_or(u32::MAX).max(1);
    part.iter().sum::<f64>() / f64::from(count)
}

fn judge(told: &Told, past: &BTreeMap<String, u32>, sandbox: &Sandbox, visitors: u32) -> Vec<String> {
    let mut breaches = Vec::new();
    if !told.over || told.stderr.contains("panicked") {
        breaches.push(format!("the day did not end well: {}", told.stderr));
        return breaches;
    }
    for (what, words) in HELD {
        let (early, late) = (mean(told, what, 1), mean(told, what, PARTS - 1));
        let spare = if what == "resident_kib" { MEMORY.0 + MEMORY.1 * f64::from(visitors) } else { SPARE };
        if late > early + spare {
            breaches.push(format!("{words} grew from {early:.0} to {late:.0}"));
        }
    }
    let count = |codes: &[&str]| codes.iter().filter_map(|code| past.get(*code)).sum::<u32>();
    let tokens = sandbox.state().tokens;
    let spent = tokens.iter().filter(|token| token.state == TokenPhase::Spent).count();
    let accounted = count(&["saved", "saved_in_part", "possibly_consumed"]);
    if usize::try_from(accounted).ok() != Some(spent) {
        breaches.push(format!(
            "the backend delivered {spent} avatars, and {accounted} are accounted for: {past:?}"
        ));
    }
    if count(&["saved"]) < visitors / 2 {
        breaches.push(format!("of {visitors} visitors hardly one got an avatar: {past:?}"));
    }
    breaches
}

/// When every visit is forgotten, the disk is as it was.
fn disk(stand: &Stand) -> Result<Vec<String>, Trouble> {
    let forget = stand::run(stand.command(&["history", "forget", "--all", "--json"]))?;
    let mut breaches = Vec::new();
    if forget.exit != Some(0) {
        breaches.push(format!("forgetting did not end well: {}", forget.told()));
    }
    let (mut open, mut bytes) = (vec![stand.data(), stand.out()], 0);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let about = path.symlink_metadata()?;
            if about.is_dir() {
                open.push(path);
            } else if !stand.is_strangers(&path) {
                bytes += about.len();
                let face =
                    [".glb", ".png", ".zip", ".part"].iter().any(|end| path.to_string_lossy().ends_with(end));
                if face {
                    breaches.push(format!("left on the disk: {}", path.display()));
                }
            }
        }
    }
    if bytes > DISK {
        breaches.push(format!("{bytes} bytes are left on the disk"));
    }
    Ok(breaches)
}

fn held(told: &Told) -> Table {
    let rows = HELD.iter().map(|(what, words)| {
        let figures = (0..PARTS).map(|part| format!("{:.0}", mean(told, what, part)));
        std::iter::once((*words).to_owned()).chain(figures).collect()
    });
    let parts = (1..=PARTS).map(|part| format!("part {part}"));
    let head = std::iter::once("what the process holds".to_owned()).chain(parts).collect();
    Table { title: String::new(), head, rows: rows.collect() }
}

fn ends(past: &BTreeMap<String, u32>) -> Table {
    let rows = past.iter().map(|(code, count)| vec![code.clone(), count.to_string()]);
    let head = ["how the visits ended", "visits"];
    Table { title: String::new(), head: head.map(str::to_owned).to_vec(), rows: rows.collect() }
}
