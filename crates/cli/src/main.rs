//! `copresence`: the test console. Runs visits, the sandbox and integration checks without a window.
//!
//! Exit codes and options are a contract: QA teams and partners script against them.

mod args;
mod capped;
mod code;
mod common_options;
mod credentials;
mod doctor;
mod failure;
mod ground;
mod history;
mod logs;
mod output;
mod profile;
mod recover;
mod sandbox;
mod stop;
mod unseen;
mod validate;
mod visit;

use args::{Args, Command};
use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "crash-points")]
    if std::env::var_os("COPRESENCE_CRASH_POINTS").is_some() {
        kiosk::crash_points().for_each(|(name, words)| println!("{name}\t{words}"));
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    kiosk::install_crypto();
    let _flushes_at_the_end = logs::start(&args.common);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return report(&Failure::usage(format!("the program cannot start its threads: {error}")));
        }
    };
    match runtime.block_on(run(args)) {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => report(&failure),
    }
}

async fn run(args: Args) -> Result<u8, Failure> {
    let common = args.common;
    match args.command {
        Command::Visit(options) => visit::run(&common, options).await,
        Command::Sandbox(options) => sandbox::run(&common, options).await,
        Command::Validate(options) => validate::run(&common, options).await,
        Command::Recover => recover::run(&common).await,
        Command::History { command } => history::run(&common, command.unwrap_or_default()).await,
        Command::Credentials { command } => credentials::run(&common, &command),
        Command::Profile { command } => profile::run(&common, &command),
        Command::Doctor => doctor::run(&common).await,
    }
}

fn report(failure: &Failure) -> ExitCode {
    output::people(format_args!("error: {failure}"));
    ExitCode::from(failure.exit())
}
