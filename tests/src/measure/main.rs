//! `cargo xtask measure`: how long the window takes to be there, and what it costs all day. Prints a table.
//!
//! No bound is asserted: what it prints is compared by people, with the machine's facts beside it.
#![cfg(target_os = "linux")]

use copresence_sandbox::Scenario;
use product_tests::window::processes::{memory, started_ms, ticks};
use product_tests::window::{Booth, Plan, SOON, Trouble};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Cold starts that are averaged.
const STARTS: usize = 5;
const VISITS: usize = 20;
/// How long the screen that waits for visitors is watched.
const WATCHED: Duration = Duration::from_mins(1);
/// What has only just been drawn is left to settle for so long before it is watched.
const SETTLES: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Trouble> {
    let mut words = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(program), Some(logs)) = (words.next(), words.next()) else {
        return Err(
            "measure APP FOLDER [VISITS]: the app's program, where to keep what it prints, and for how \
                    many visits its memory alone is followed"
                .into(),
        );
    };
    if let Some(count) = words.next() {
        let count = count.to_str().and_then(|count| count.parse().ok()).ok_or("VISITS is a number")?;
        println!("{}\n", machine());
        return visits(&program, &logs, count, |visit| visit == 1 || visit % 10 == 0 || visit == count).await;
    }
    println!("{}\n", machine());
    println!("| what | measured |\n|---|---:|");
    let mut paints = Vec::new();
    for _ in 0..STARTS {
        paints.push(cold_start(&program, &logs).await?);
    }
    paints.sort_by(f64::total_cmp);
    println!(
        "| start of the process to the first paint, median of {STARTS} (least, most) | {:.0} ms ({:.0}, {:.0}) |",
        paints[STARTS / 2],
        paints[0],
        paints[STARTS - 1]
    );
    visits(&program, &logs, VISITS, |visit| visit == 1 || visit == VISITS).await?;
    for (motion, told) in [(true, "moving"), (false, "*reduce motion*")] {
        let share = idle(&program, &logs, motion).await?;
        println!(
            "| one processor core while it waits for visitors, {told}, over {} s | {share:.1} % |",
            WATCHED.as_secs()
        );
    }
    Ok(())
}

/// Milliseconds from the start of the app's process to the first words and pictures on its page.
async fn cold_start(program: &Path, logs: &Path) -> Result<f64, Trouble> {
    let booth = Booth::open(program, logs, Plan::default()).await?;
    booth.see_screen("attract").await?;
    let script = "const [first] = performance.getEntriesByName('first-contentful-paint');
        return performance.timeOrigin + first.startTime;";
    let painted: f64 = booth.app.page().execute(script, vec![]).await?.convert()?;
    let started = started_ms(booth.desk.app_process(program)?)?;
    booth.close().await?;
    Ok(painted - started)
}

/// Memory after the visits that are told of, each back at the beginning.
async fn visits(
    program: &Path,
    logs: &Path,
    count: usize,
    told: impl Fn(usize) -> bool,
) -> Result<(), Trouble> {
    let booth = Booth::open(program, logs, Plan::default()).await?;
    let app = booth.desk.app_process(program)?;
    println!("\n| memory (PSS, MB) after | all processes | each |\n|---:|---:|---|");
    for visit in 1..=count {
        booth.app.press("[data-testid=start]", SOON).await?;
        booth.see_screen("invite").await?;
        booth.scan(Scenario::ExistingAvatar)?;
        booth.see_reveal().await?;
        booth.app.press("[data-testid=again]", SOON).await?;
        booth.see_screen("attract").await?;
        if told(visit) {
            tokio::time::sleep(SETTLES).await;
            let all = memory(app);
            let each: Vec<String> =
                all.iter().map(|(name, bytes)| format!("{name} {}", mega(*bytes))).collect();
            let sum = mega(all.iter().map(|(_, bytes)| bytes).sum());
            println!("| {visit} visits | {sum} | {} |", each.join(", "));
        }
    }
    booth.close().await
}

/// Whole megabytes.
fn mega(bytes: u64) -> u64 {
    (bytes + 500_000) / 1_000_000
}

/// The share of one core that all its processes take while nobody is there, in per cent.
async fn idle(program: &Path, logs: &Path, motion: bool) -> Result<f64, Trouble> {
    let plan = Plan { motion, ..Plan::default() };
    let booth = Booth::open(program, logs, plan).await?;
    booth.see_screen("attract").await?;
    tokio::time::sleep(SETTLES).await;
    let app = booth.desk.app_process(program)?;
    let (before, began) = (ticks(app), Instant::now());
    tokio::time::sleep(WATCHED).await;
    #[expect(clippy::cast_precision_loss, reason = "hundredths of a second of a minute")]
    let used = (ticks(app) - before) as f64 / 100.0;
    let share = used / began.elapsed().as_secs_f64() * 100.0;
    booth.close().await?;
    Ok(share)
}

/// What the figures depend on.
fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split(':').nth(1).unwrap_or_default().trim().trim_matches('"').to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpu = field(&read("/proc/cpuinfo"), "model name");
    let load = read("/proc/loadavg").split_whitespace().next().unwrap_or("?").to_owned();
    let system = read("/etc/os-release");
    let system = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .unwrap_or("Linux")
        .trim_matches('"');
    format!(
        "{system}, {cores} cores ({cpu}), load {load} at the beginning; Xvfb, 1280 × 720, drawn in software, under \
         WebDriver."
    )
}
