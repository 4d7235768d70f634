//! `cargo xtask measure`: measures the start time, memory and processor time of the window, and prints a table.
//!
//! No limits are asserted. The table includes a description of the machine, so that people can compare results.
#![cfg(target_os = "linux")]

use copresence_sandbox::BuiltInScenarioName;
use product_tests::window::processes::{cpu_ticks, memory_by_process, process_start_ms};
use product_tests::window::{DrivenKiosk, HarnessError, KioskSetup, RENDER_TIMEOUT};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Number of cold starts, of which the median is printed.
const COLD_STARTS: usize = 5;
/// Number of visits for the measurement of memory.
const VISIT_COUNT: usize = 20;
/// Duration of the measurement while the app waits for visitors.
const IDLE_DURATION: Duration = Duration::from_mins(1);
/// Time to settle before a measurement.
const SETTLE_TIME: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), HarnessError> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(program), Some(logs)) = (args.next(), args.next()) else {
        return Err(
            "usage: measure APP FOLDER [VISITS]\nAPP: the program of the app. FOLDER: for the output of programs. \
             VISITS: measure only memory, over this many visits"
                .into(),
        );
    };
    if let Some(count) = args.next() {
        let count = count.to_str().and_then(|count| count.parse().ok()).ok_or("VISITS must be a number")?;
        println!("{}\n", describe_machine());
        return measure_visits(&program, &logs, count, |visit| visit == 1 || visit % 10 == 0 || visit == count).await;
    }
    println!("{}\n", describe_machine());
    println!("| what | measured |\n|---|---:|");
    let mut paints = Vec::new();
    for _ in 0..COLD_STARTS {
        paints.push(measure_cold_start(&program, &logs).await?);
    }
    paints.sort_by(f64::total_cmp);
    println!(
        "| start of the process to the first paint, median of {COLD_STARTS} (least, most) | {:.0} ms ({:.0}, {:.0}) |",
        paints[COLD_STARTS / 2],
        paints[0],
        paints[COLD_STARTS - 1]
    );
    measure_visits(&program, &logs, VISIT_COUNT, |visit| visit == 1 || visit == VISIT_COUNT).await?;
    for (has_animations, label) in [(true, "with animations"), (false, "*reduce motion*")] {
        let share = measure_idle_share(&program, &logs, has_animations).await?;
        println!(
            "| one processor core while it waits for visitors, {label}, over {} s | {share:.1} % |",
            IDLE_DURATION.as_secs()
        );
    }
    Ok(())
}

/// Measures the milliseconds from the start of the app's process to the first contentful paint of its page.
async fn measure_cold_start(program: &Path, logs: &Path) -> Result<f64, HarnessError> {
    let kiosk = DrivenKiosk::open(program, logs, KioskSetup::default()).await?;
    kiosk.await_screen("attract").await?;
    let script = "const [first] = performance.getEntriesByName('first-contentful-paint');
        return performance.timeOrigin + first.startTime;";
    let painted: f64 = kiosk.app.page().execute(script, vec![]).await?.convert()?;
    let started = process_start_ms(kiosk.desktop.app_process(program)?)?;
    kiosk.close().await?;
    Ok(painted - started)
}

/// Prints the memory before the first visit, and after each visit for which `is_printed` returns true, at the first
/// screen.
async fn measure_visits(
    program: &Path,
    logs: &Path,
    count: usize,
    is_printed: impl Fn(usize) -> bool,
) -> Result<(), HarnessError> {
    let kiosk = DrivenKiosk::open(program, logs, KioskSetup::default()).await?;
    let app = kiosk.desktop.app_process(program)?;
    println!("\n| memory (PSS, MB) after | all processes | each |\n|---:|---:|---|");
    let print_memory = async |visit: usize| {
        tokio::time::sleep(SETTLE_TIME).await;
        let all = memory_by_process(app);
        let each: Vec<String> = all.iter().map(|(name, bytes)| format!("{name} {}", to_megabytes(*bytes))).collect();
        let sum = to_megabytes(all.iter().map(|(_, bytes)| bytes).sum());
        println!("| {visit} visits | {sum} | {} |", each.join(", "));
    };
    kiosk.await_screen("attract").await?;
    print_memory(0).await;
    for visit in 1..=count {
        kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
        kiosk.await_screen("invite").await?;
        kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
        kiosk.await_reveal().await?;
        kiosk.leave_reveal().await?;
        kiosk.await_screen("attract").await?;
        if is_printed(visit) {
            print_memory(visit).await;
        }
    }
    kiosk.close().await
}

/// Bytes in megabytes, rounded.
fn to_megabytes(bytes: u64) -> u64 {
    (bytes + 500_000) / 1_000_000
}

/// Measures the processor time of all processes of the app without visitors, in percent of one core.
async fn measure_idle_share(program: &Path, logs: &Path, has_animations: bool) -> Result<f64, HarnessError> {
    let setup = KioskSetup { has_animations, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(program, logs, setup).await?;
    kiosk.await_screen("attract").await?;
    tokio::time::sleep(SETTLE_TIME).await;
    let app = kiosk.desktop.app_process(program)?;
    let (before, began) = (cpu_ticks(app), Instant::now());
    tokio::time::sleep(IDLE_DURATION).await;
    #[expect(clippy::cast_precision_loss, reason = "hundredths of a second of a minute")]
    let used = (cpu_ticks(app) - before) as f64 / 100.0;
    let share = used / began.elapsed().as_secs_f64() * 100.0;
    kiosk.close().await?;
    Ok(share)
}

/// Describes the machine, on which the results depend.
fn describe_machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split(':').nth(1).unwrap_or_default().trim().trim_matches('"').to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let cpu = field(&read("/proc/cpuinfo"), "model name");
    let load = read("/proc/loadavg").split_whitespace().next().unwrap_or("?").to_owned();
    let system = read("/etc/os-release");
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux").trim_matches('"');
    format!(
        "{system}, {cores} cores ({cpu}), load {load} at the beginning; Xvfb, 1280 × 720, rendered in software, under \
         WebDriver."
    )
}
