//! Speed of the downloads: 64 files of 4 MiB, and one of 1 GiB, from nginx, saved by `copresence` and by
//! `curl --parallel`, `sha256sum` and `sync`. Prints a table of seconds and their ratio: `cargo build --release -p
//! copresence-cli && cargo bench -p product-tests --features peers --bench downloads`
//!
//! `copresence` is measured from the delivery to its end. In this time it also checks the files, journals each step,
//! and writes the manifest; everything is flushed. Nothing is asserted, because the figures depend on the machine and
//! its disk.
#![cfg(target_os = "linux")]
#![allow(dead_code, reason = "the helpers of tests/peers have more than this needs")]

#[path = "../tests/peers/avatar_files.rs"]
mod avatar_files;
#[path = "../tests/peers/delivering_backend.rs"]
mod delivering_backend;
#[path = "../tests/peers/nginx_server.rs"]
mod nginx_server;
#[path = "../tests/peers/peer_process.rs"]
mod peer_process;

use delivering_backend::DeliveringBackend;
use nginx_server::NginxServer;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Why the measurement failed.
type HarnessError = Box<dyn std::error::Error>;

/// Number of runs of each program, one after the other.
const RUNS: usize = 7;
/// Number and bytes of the files of each row.
const ROWS: [(usize, usize); 2] = [(64, 4 << 20), (1, 1 << 30)];

fn main() -> Result<(), HarnessError> {
    // `cargo test --benches` runs this program too. It has no tests.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    println!("| files | copresence, s: median (least, most) | curl + sha256sum + sync, s | ratio of the medians |");
    println!("|---|---:|---:|---:|");
    for (count, bytes) in ROWS {
        let nginx = NginxServer::start(b"")?;
        for number in 0..count {
            let seed = u32::try_from(number)?;
            nginx.write_file(&format!("identity/{number}.glb"), &avatar_files::generate_glb(bytes, seed))?;
        }
        let urls: Vec<String> = (0..count)
            .map(|number| nginx.glb_url("identity").replace("avatar.glb", &format!("{number}.glb")))
            .collect();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            ours.push(measure_copresence(&urls)?);
            theirs.push(measure_curl(&urls)?);
        }
        let (ours, theirs) = (summarize_seconds(ours), summarize_seconds(theirs));
        let describe = |[median, least, most]: [f64; 3]| format!("{median:.2} ({least:.2}, {most:.2})");
        println!(
            "| {count} of {} MiB | {} | {} | {:.2} |",
            bytes >> 20,
            describe(ours),
            describe(theirs),
            ours[0] / theirs[0]
        );
    }
    Ok(())
}

/// Seconds from the delivery to the end of a visit that saves these URLs.
fn measure_copresence(urls: &[String]) -> Result<f64, HarnessError> {
    let program = peer_process::target_dir().join("release/copresence");
    let home = tempfile::tempdir()?;
    let backend = DeliveringBackend::start()?;
    backend.deliver(&urls.iter().map(|url| (url.clone(), "glb")).collect::<Vec<_>>());
    let config = home.path().join("profiles.toml");
    std::fs::write(
        &config,
        format!(
            "[profiles.bench]\napi_url = \"{}\"\nlink = \"https://app.example/?exportToken={{token}}\"\n\
             downloads.max_file_size = \"4GiB\"\n",
            backend.url()
        ),
    )?;
    flush_disk()?;
    let mut command = Command::new(&program);
    command.args(["visit", "--json", "--profile", "bench", "--config"]).arg(&config);
    command.arg("--data-dir").arg(home.path().join("data")).arg("--out").arg(home.path().join("out"));
    command.env("COPRESENCE_SESSION_TOKEN", "r:bench").env("COPRESENCE_API_KEY", "bench").stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("{}: {error}; build it first", program.display()))?;
    let lines: Vec<Value> =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let time_of_event = |event: &str| -> Result<jiff::Timestamp, HarnessError> {
        let line = lines.iter().find(|line| line["event"] == event).ok_or(format!("no event `{event}`"))?;
        Ok(line["at"].as_str().unwrap_or_default().parse()?)
    };
    Ok(time_of_event("ended")?.duration_since(time_of_event("redeemed")?).as_secs_f64())
}

/// Seconds in which `curl` downloads these URLs, `sha256sum` reads the files, and `sync` flushes them.
fn measure_curl(urls: &[String]) -> Result<f64, HarnessError> {
    let folder = tempfile::tempdir()?;
    let list: Vec<String> =
        urls.iter().enumerate().map(|(number, url)| format!("url={url}\noutput={number}.glb")).collect();
    std::fs::write(folder.path().join("urls"), list.join("\n"))?;
    flush_disk()?;
    let started = Instant::now();
    run_in_folder(
        folder.path(),
        "curl --no-progress-meter --parallel --config urls 2> errors && sha256sum *.glb > sums && sync -f .",
    )?;
    Ok(started.elapsed().as_secs_f64())
}

/// Flushes what earlier runs wrote.
fn flush_disk() -> Result<(), HarnessError> {
    run_in_folder(Path::new("/"), "sync")
}

fn run_in_folder(folder: &Path, script: &str) -> Result<(), HarnessError> {
    let status = Command::new("sh").args(["-c", script]).current_dir(folder).status()?;
    if status.success() { Ok(()) } else { Err(format!("`{script}` ended with {status}").into()) }
}

/// Median, least and most.
fn summarize_seconds(mut seconds: Vec<f64>) -> [f64; 3] {
    seconds.sort_by(f64::total_cmp);
    [seconds[seconds.len() / 2], seconds[0], seconds[seconds.len() - 1]]
}
