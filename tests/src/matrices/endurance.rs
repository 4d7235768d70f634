//! Endurance: one process serves many visitors with a backend that fails at random. Its memory, open files and tasks
//! must not grow, and every delivered avatar must be accounted for.

use crate::report::{Report, Table, Violation};
use crate::sandbox_home::{PROFILE, SandboxHome, associate_avatars};
use crate::test_home::{self, TestHome};
use crate::{HarnessError, Options};
use copresence_sandbox::{Sandbox, SandboxSettings, TokenPhase};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Number of visitors in the short and in the long form.
const VISITORS: (u32, u32) = (60, 1_000);
/// Speed of the sandbox's clock: an avatar takes about a third of a second.
const SPEED: f64 = 60.0;
/// Number of equal parts of the run. The first is not compared, because caches fill.
const PARTS: usize = 5;

/// Allowed growth of memory in KiB: in total, and in addition per visitor.
const MEMORY_SLACK_KIB: (f64, f64) = (4_096.0, 1.0);
/// Allowed growth of open files and of tasks. Each running visit has about ten files, and slow machines have more
/// running visits. A leak per visitor exceeds this by far in the long form.
const COUNT_SLACK: f64 = 24.0;
/// Maximum bytes on the disk after all visits are forgotten: journal, lock files, logs.
const MAX_BYTES_LEFT: u64 = 4 << 20;

/// Faults that are applied at random.
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

/// The output of the `day` program.
#[derive(Default)]
struct DayOutput {
    usage: Vec<Value>,
    /// The code of each ended visit, by its id.
    ended: BTreeMap<String, String>,
    is_complete: bool,
    stderr: String,
}

pub(crate) fn run(options: &Options) -> Result<Report, HarnessError> {
    let began = Instant::now();
    let program = test_home::find_program()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let settings = SandboxSettings { seed: options.seed, speed: SPEED, ..SandboxSettings::default() };
    let sandbox_home = SandboxHome::start(&program, runtime.handle(), settings)?;
    let (home, sandbox) = (&sandbox_home.home, sandbox_home.sandbox());
    sandbox.set_faults(copresence_sandbox::faults::parse_and_check_faults(FAULTS.as_bytes())?)?;
    sandbox.add_request_watcher(|sandbox, line| {
        if line.path == "/redeemExportToken" {
            associate_avatars(sandbox);
        }
    });

    let visitors = if options.long { VISITORS.1 } else { VISITORS.0 };
    let mut day = Command::new(find_day_program(&program)?);
    home.apply_environment(&mut day);
    day.arg(&sandbox_home.config).arg(PROFILE).arg(home.data()).arg(home.out()).arg(visitors.to_string());
    sandbox_home.set_credentials(&mut day);
    // With one arena per thread, fragmentation in glibc would hide a leak.
    day.env("MALLOC_ARENA_MAX", "1");
    let output = run_day(day)?;
    let applied: u64 = sandbox.active_faults_with_counts().iter().map(|state| state.struck).sum();

    // Visits that the end of the day interrupted are recovered without faults.
    sandbox.clear_faults();
    let recovered = test_home::run_to_end(sandbox_home.recover_command())?;
    let mut past = output.ended.clone();
    for line in recovered.json_lines().iter().filter(|line| line["event"] == "ended") {
        past.insert(string_value(&line["visit"]), string_value(&line["code"]));
    }
    let past = count_ends(&past);
    let mut violations = check_day(&output, &past, sandbox, visitors);
    if recovered.timed_out || recovered.exit.is_none() {
        violations.push(format!("recover failed: {}", recovered.describe()));
    }
    violations.extend(check_disk_after_forgetting(home)?);
    violations.extend(home.foreign_file_changes());
    let reproduce = options.reproduce_command("endurance", "");
    let violation = |description| Violation { cell: "endurance".to_owned(), description, reproduce: reproduce.clone() };
    Ok(Report {
        title: "Endurance".to_owned(),
        about: format!(
            "One process serves {visitors} visitors in a row, some of whom leave early, with a sandbox that injects \
             faults at random ({applied} in this run). The usage of the process is measured after each visitor; the \
             table has the means of five equal parts of the run. The last part must not exceed the second by more \
             than noise."
        ),
        tables: vec![usage_table(&output), ends_table(&past)],
        violations: violations.into_iter().map(violation).collect(),
        cells: visitors as usize,
        duration: began.elapsed(),
    })
}

/// The example `day`, in the target folder of `copresence`.
fn find_day_program(program: &Path) -> Result<PathBuf, HarnessError> {
    let day = program.with_file_name("examples").join(format!("day{}", std::env::consts::EXE_SUFFIX));
    if day.is_file() {
        return Ok(day);
    }
    Err(format!("{} does not exist. Build it with `cargo build -p copresence-booth --example day`", day.display())
        .into())
}

/// Runs the `day` program and parses its output.
fn run_day(mut command: Command) -> Result<DayOutput, HarnessError> {
    let mut child = command.spawn()?;
    let mut output = DayOutput::default();
    let stderr = child.stderr.take().ok_or("no pipe")?;
    let stderr = std::thread::spawn(move || {
        let mut text = String::new();
        _ = BufReader::new(stderr).read_to_string(&mut text);
        text
    });
    for line in BufReader::new(child.stdout.take().ok_or("no pipe")?).lines() {
        let line: Value = serde_json::from_str(&line?)?;
        if line["holds"].is_object() {
            output.usage.push(line["holds"].clone());
        }
        if line["past"].is_string() && line["unfinished"] == false {
            output.ended.insert(string_value(&line["past"]), string_value(&line["code"]));
        }
        output.is_complete |= line["over"] == true;
    }
    output.is_complete &= child.wait()?.success();
    output.stderr = stderr.join().unwrap_or_default();
    Ok(output)
}

fn string_value(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The number of visits per code.
fn count_ends(past: &BTreeMap<String, String>) -> BTreeMap<String, u32> {
    let mut ends = BTreeMap::new();
    for code in past.values() {
        *ends.entry(code.clone()).or_default() += 1;
    }
    ends
}

/// The measured fields of the output, with their labels.
const MEASURED: [(&str, &str); 3] = [("resident_kib", "memory, KiB"), ("open_files", "open files"), ("tasks", "tasks")];

/// The mean of a field in one part of the run; parts are counted from 0.
fn mean_usage(output: &DayOutput, field: &str, part: usize) -> f64 {
    let visits = &output.usage[..output.usage.len().saturating_sub(1)];
    let (from, to) = (visits.len() * part / PARTS, visits.len() * (part + 1) / PARTS);
    let part: Vec<f64> = visits[from..to].iter().filter_map(|usage| usage[field].as_f64()).collect();
    let count = u32::try_from(part.len()).unwrap_or(u32::MAX).max(1);
    part.iter().sum::<f64>() / f64::from(count)
}

fn check_day(output: &DayOutput, past: &BTreeMap<String, u32>, sandbox: &Sandbox, visitors: u32) -> Vec<String> {
    let mut violations = Vec::new();
    if !output.is_complete || output.stderr.contains("panicked") {
        violations.push(format!("the `day` program failed: {}", output.stderr));
        return violations;
    }
    for (field, label) in MEASURED {
        let (early, late) = (mean_usage(output, field, 1), mean_usage(output, field, PARTS - 1));
        let slack = if field == "resident_kib" {
            MEMORY_SLACK_KIB.0 + MEMORY_SLACK_KIB.1 * f64::from(visitors)
        } else {
            COUNT_SLACK
        };
        if late > early + slack {
            violations.push(format!("{label} grew from {early:.0} to {late:.0}"));
        }
    }
    let count = |codes: &[&str]| codes.iter().filter_map(|code| past.get(*code)).sum::<u32>();
    let tokens = sandbox.sandbox_state().tokens;
    let spent = tokens.iter().filter(|token| token.state == TokenPhase::Spent).count();
    let accounted = count(&["saved", "saved_in_part", "possibly_consumed"]);
    if usize::try_from(accounted).ok() != Some(spent) {
        violations.push(format!("the backend delivered {spent} avatars, but {accounted} are accounted for: {past:?}"));
    }
    if count(&["saved"]) < visitors / 2 {
        violations.push(format!("fewer than half of {visitors} visitors got an avatar: {past:?}"));
    }
    violations
}

/// Forgets all visits, and checks that no file of an avatar is left.
fn check_disk_after_forgetting(home: &TestHome) -> Result<Vec<String>, HarnessError> {
    let forget = test_home::run_to_end(home.command(&["history", "forget", "--all", "--json"]))?;
    let mut violations = Vec::new();
    if forget.exit != Some(0) {
        violations.push(format!("forgetting failed: {}", forget.describe()));
    }
    let (mut open, mut bytes) = (vec![home.data(), home.out()], 0);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let about = path.symlink_metadata()?;
            if about.is_dir() {
                open.push(path);
            } else if !home.is_foreign(&path) {
                bytes += about.len();
                let is_avatar_file =
                    [".glb", ".png", ".zip", ".part"].iter().any(|end| path.to_string_lossy().ends_with(end));
                if is_avatar_file {
                    violations.push(format!("left behind on the disk: {}", path.display()));
                }
            }
        }
    }
    if bytes > MAX_BYTES_LEFT {
        violations.push(format!("{bytes} bytes are left on the disk"));
    }
    Ok(violations)
}

fn usage_table(output: &DayOutput) -> Table {
    let rows = MEASURED.iter().map(|(field, label)| {
        let figures = (0..PARTS).map(|part| format!("{:.0}", mean_usage(output, field, part)));
        std::iter::once((*label).to_owned()).chain(figures).collect()
    });
    let parts = (1..=PARTS).map(|part| format!("part {part}"));
    let head = std::iter::once("usage of the process".to_owned()).chain(parts).collect();
    Table { title: String::new(), head, rows: rows.collect() }
}

fn ends_table(past: &BTreeMap<String, u32>) -> Table {
    let rows = past.iter().map(|(code, count)| vec![code.clone(), count.to_string()]);
    let head = ["end of the visits", "visits"];
    Table { title: String::new(), head: head.map(str::to_owned).to_vec(), rows: rows.collect() }
}
