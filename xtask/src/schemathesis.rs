//! Schemathesis, in a Python environment of its own under `target`.

use crate::plan::{self, Done, Failure};
use crate::project::{root, target};
use std::path::PathBuf;
use std::process::Command;

const REMEDY: &str =
    "see that Python with venv is there (Debian: python3-venv) and that its package index can be reached";

/// The program, once [`install`] has run.
pub(crate) fn program() -> PathBuf {
    bin().join(format!("schemathesis{}", std::env::consts::EXE_SUFFIX))
}

/// Sees to the version that the requirements name.
pub(crate) fn install(allowed: bool) -> Result<Done, Failure> {
    let wanted = root().join("crates/sandbox/schemathesis-requirements.txt");
    let kept = home().join("requirements.txt");
    let same = std::fs::read(&wanted).ok().is_some_and(|wanted| std::fs::read(&kept).ok() == Some(wanted));
    if same && program().is_file() {
        return Ok(Done::Needless("it is there".to_owned()));
    }
    if !allowed {
        return Err(Failure::new("Schemathesis is missing, and --no-install was given", REMEDY));
    }
    let python = if cfg!(windows) { "python" } else { "python3" };
    plan::run(Command::new(python).args(["-m", "venv"]).arg(home()), REMEDY)?;
    let pip = bin().join(format!("pip{}", std::env::consts::EXE_SUFFIX));
    let quiet = ["install", "--quiet", "--disable-pip-version-check", "--requirement"];
    plan::run(Command::new(pip).args(quiet).arg(&wanted), REMEDY)?;
    // Written last: an installation that broke off is begun again.
    std::fs::copy(&wanted, &kept)
        .map_err(|error| Failure::new(format!("{}: {error}", kept.display()), REMEDY))?;
    Ok(Done::Ran)
}

fn home() -> PathBuf {
    target().join("schemathesis")
}

fn bin() -> PathBuf {
    home().join(if cfg!(windows) { "Scripts" } else { "bin" })
}
