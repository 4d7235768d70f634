//! Reads the file of a scenario.

use super::definition::URL_LIFETIME;
use super::definition::{DeliveredFiles, Scenario, ScenarioDefinition};
use super::step::{ScenarioStep, StepAsWritten, deserialize_time};
use crate::faults::{Endpoint, Fault, MAX_FAULTS};
use serde::Deserialize;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;

/// Maximum number of steps.
const MAX_STEPS: usize = 1_000;

/// Maximum of `copies`.
const MAX_COPIES: u32 = 100;

/// Maximum of `glb_padding`, in bytes (1 GiB).
const MAX_GLB_PADDING: u64 = 1024 * 1024 * 1024;

/// Default of `token_lifetime`.
const DEFAULT_TOKEN_LIFETIME: Duration = Duration::from_mins(15);

/// Why the file of a scenario is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct ScenarioFileError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong there, and what would be right.
    pub problem: String,
}

/// A scenario's file as written, before its values are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioAsWritten {
    name: Spanned<String>,
    about: String,
    #[serde(default = "default_token_lifetime", deserialize_with = "deserialize_time")]
    token_lifetime: Duration,
    #[serde(default)]
    may_expire_early: bool,
    #[serde(default = "should_autoplay_associate_by_default")]
    scanned: bool,
    steps: Vec<Spanned<StepAsWritten>>,
    existing_avatar_steps: Option<Vec<Spanned<StepAsWritten>>>,
    #[serde(default)]
    files: DeliveredFilesInScenarioFile,
    #[serde(default)]
    faults: Vec<Spanned<Fault>>,
}

/// The table `files` as written, before its values are checked.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DeliveredFilesInScenarioFile {
    copies: Spanned<u32>,
    export_types: Option<Vec<String>>,
    glb_padding: Spanned<u64>,
    #[serde(deserialize_with = "deserialize_time")]
    url_lifetime: Duration,
    expired_from: Option<Spanned<u32>>,
}

impl Default for DeliveredFilesInScenarioFile {
    fn default() -> Self {
        Self {
            copies: Spanned::new(0..0, 1),
            export_types: None,
            glb_padding: Spanned::new(0..0, 0),
            url_lifetime: URL_LIFETIME,
            expired_from: None,
        }
    }
}

/// Default of `token_lifetime`.
fn default_token_lifetime() -> Duration {
    DEFAULT_TOKEN_LIFETIME
}

/// Default of `scanned`: auto-play associates an avatar with a token.
fn should_autoplay_associate_by_default() -> bool {
    true
}

/// A problem, and the bytes of the file that have it.
type LocatedProblem = (Range<usize>, String);

impl Scenario {
    /// Parses and checks the file of a scenario.
    ///
    /// # Errors
    /// It is not TOML, a key is missing or unknown, or a value is wrong. The error says where, and what would be right.
    pub fn parse_scenario_file(text: &str) -> Result<Self, ScenarioFileError> {
        let parsed = toml::from_str::<ScenarioAsWritten>(text)
            .map_err(|error| (error.span().unwrap_or_default(), error.message().to_owned()))
            .and_then(check_scenario);
        match parsed {
            Ok(definition) => Ok(Self::new(definition)),
            Err((span, problem)) => {
                let before = text.get(..span.start).unwrap_or(text);
                let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
                Err(ScenarioFileError {
                    line: before.matches('\n').count() + 1,
                    column: before[line_start..].chars().count() + 1,
                    problem,
                })
            }
        }
    }
}

/// Checks the values that have the right type, and converts the file to a scenario.
fn check_scenario(written: ScenarioAsWritten) -> Result<ScenarioDefinition, LocatedProblem> {
    let name = written.name.get_ref();
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !is_plain || name.is_empty() || name.len() > 60 {
        let problem = "a name has 1 to 60 letters, digits, `-` and `_`, as in \"slow-then-fails\"";
        return Err((written.name.span(), problem.to_owned()));
    }
    Ok(ScenarioDefinition {
        name: written.name.into_inner(),
        about: written.about,
        token_lifetime: written.token_lifetime,
        may_expire_early: written.may_expire_early,
        is_scanned: written.scanned,
        steps: check_steps(written.steps)?,
        existing_avatar_steps: written.existing_avatar_steps.map(check_steps).transpose()?,
        files: check_delivered_files(written.files)?,
        faults: check_faults(written.faults)?,
    })
}

/// Checks a list of steps, and converts it.
fn check_steps(written: Vec<Spanned<StepAsWritten>>) -> Result<Vec<ScenarioStep>, LocatedProblem> {
    if let Some(surplus) = written.get(MAX_STEPS) {
        return Err((surplus.span(), format!("a scenario has at most {MAX_STEPS} steps")));
    }
    let mut last_span = 0..0;
    let mut steps = Vec::with_capacity(written.len());
    for step in written {
        last_span = step.span();
        steps.push(step.into_inner().check_step_keys_and_convert().map_err(|problem| (last_span.clone(), problem))?);
    }
    if let Some(ScenarioStep::Fail { lasts: Some(_), .. }) = steps.last() {
        let problem = "the last step is `failed`, which lasts until the visitor records again; remove `lasts`, or add \
                       the steps of the next recording";
        return Err((last_span, problem.to_owned()));
    }
    Ok(steps)
}

/// Checks the table `files`, and converts it.
fn check_delivered_files(written: DeliveredFilesInScenarioFile) -> Result<DeliveredFiles, LocatedProblem> {
    if *written.copies.get_ref() > MAX_COPIES {
        return Err((written.copies.span(), format!("`copies` is a number from 0 to {MAX_COPIES}")));
    }
    if *written.glb_padding.get_ref() > MAX_GLB_PADDING {
        let problem = format!("`glb_padding` is a number of bytes from 0 to {MAX_GLB_PADDING}");
        return Err((written.glb_padding.span(), problem));
    }
    if let Some(place) = written.expired_from.as_ref().filter(|place| *place.get_ref() == 0) {
        return Err((place.span(), "`expired_from` counts the files from 1".to_owned()));
    }
    Ok(DeliveredFiles {
        copies: written.copies.into_inner(),
        export_types: written.export_types,
        glb_padding: written.glb_padding.into_inner(),
        url_lifetime: written.url_lifetime,
        expired_from: written.expired_from.map(Spanned::into_inner),
    })
}

/// Checks the faults of a scenario: their number, their endpoints and their parameters.
fn check_faults(written: Vec<Spanned<Fault>>) -> Result<Vec<Fault>, LocatedProblem> {
    if let Some(surplus) = written.get(MAX_FAULTS) {
        return Err((surplus.span(), format!("a scenario has at most {MAX_FAULTS} faults")));
    }
    let check = |fault: Spanned<Fault>| {
        let span = fault.span();
        let fault = fault.into_inner();
        if !matches!(fault.on, Endpoint::Redeem | Endpoint::File) {
            let problem = "a fault of a scenario is on `redeem` or `file`, because it is for the requests of one token; \
                           set others with `--faults` or `PUT /sandbox/faults`";
            return Err((span, problem.to_owned()));
        }
        fault.check_fault().map_err(|problem| (span, problem))?;
        Ok(fault)
    };
    written.into_iter().map(check).collect()
}
