//! Visitors per hour and waiting times of a booth with and without lanes, on simulated visitors: prints a Markdown table.
//! `cargo bench -p copresence-visit --bench lanes [-- --seed N] [--days N]`
//!
//! It fails if eight lanes do not serve three times as many visitors as none on *record new*. `tests/lane_targets.rs` checks
//! the same with fewer days. Time is simulated, so the results are the same on every machine.

#[path = "lanes/booth.rs"]
mod booth;
// The polling benchmark uses all of it.
#[allow(dead_code)]
#[path = "polling/simulated_backend.rs"]
mod simulated_backend;

use booth::{Arrivals, BoothRules, HandOver, simulate_booth};
use simulated_backend::LOADS_WITH_TARGETS;
use std::process::ExitCode;

const USAGE: &str = "cargo bench -p copresence-visit --bench lanes [-- --seed N] [--days N]";

/// Visitors that arrive in an hour, for the waiting times.
const ARRIVALS_PER_HOUR: f64 = 12.0;

/// Label and rules of each row.
const RULES: [(&str, BoothRules); 4] = [
    ("none", BoothRules { lanes: 0, hand_over: HandOver::AfterScan }),
    ("1", BoothRules { lanes: 1, hand_over: HandOver::AfterScan }),
    ("8", BoothRules { lanes: 8, hand_over: HandOver::AfterScan }),
    ("8, only after *Found you*", BoothRules { lanes: 8, hand_over: HandOver::AfterRecording }),
];

fn main() -> ExitCode {
    // `cargo test --benches` runs this program too. It has no tests.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let (seed, days) = match parse_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(argument) => {
            eprintln!("unknown argument: {argument}\nUsage: {USAGE}");
            return ExitCode::from(2);
        }
    };
    println!("Seed {seed}, {days} days of eight hours per line. Waiting times in minutes, median and 95th percentile,");
    println!("while {ARRIVALS_PER_HOUR} visitors arrive in an hour.\n");
    println!("| load | lanes | visitors per hour | wait to begin | until the avatar is seen |");
    println!("|---|---|---:|---:|---:|");
    let mut ratio = 0.0;
    for load in &LOADS_WITH_TARGETS[..3] {
        let mut without_lanes = 0.0;
        for (label, rules) in RULES {
            let most = simulate_booth(load, rules, Arrivals::Always, days, seed).visitors_per_hour;
            let waits = simulate_booth(load, rules, Arrivals::PerHour(ARRIVALS_PER_HOUR), days, seed);
            let minutes = |[median, p95]: [f64; 2]| format!("{:.1}, {:.1}", median / 60.0, p95 / 60.0);
            let (begin, avatar) = (minutes(waits.wait_to_begin), minutes(waits.wait_for_avatar));
            println!("| {} | {label} | {most:.1} | {begin} | {avatar} |", load.name);
            match label {
                "none" => without_lanes = most,
                "8" if load.name == "record new" => ratio = most / without_lanes,
                _ => {}
            }
        }
    }
    let verdict = if ratio >= 3.0 { "PASS" } else { "MISS" };
    println!("\n{verdict} record new: 8 lanes serve {ratio:.2} times as many visitors as none, at least 3.00");
    if ratio >= 3.0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The seed and the number of days, or the unknown argument.
fn parse_arguments(mut arguments: impl Iterator<Item = String>) -> Result<(u64, u32), String> {
    let (mut seed, mut days) = (2, 200);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let next = arguments.next().unwrap_or_default();
            next.parse::<u32>().ok().filter(|number| *number > 0).ok_or(format!("{argument} {next}"))
        };
        match argument.as_str() {
            "--seed" => seed = u64::from(number()?),
            "--days" => days = number()?,
            // Cargo adds this argument.
            "--bench" => {}
            _ => return Err(argument),
        }
    }
    Ok((seed, days))
}
