//! `--passport` signs a statement of the run; `--verify` checks one and judges its evidence again.

use super::options::ValidateOptions;
use super::render::print_json_line;
use crate::common_options::CommonOptions;
use crate::context;
use crate::failure::CommandFailure;
use crate::output::{self, sanitize_for_terminal};
use crate::output_file::{DeferredOutputFile, OutputFileReadPermission};
use copresence_engine::credentials::{CredentialKind, CredentialStore};
use copresence_validate::Level;
use copresence_validate::passport::{
    MAX_PASSPORT_BYTES, NoPassportReason, PassportInvalidityReason, PassportRefusal, PassportSigningKey,
    RejudgedPassport, RejudgedVerdictDifference, RequirementTableDifference, SignedPassportToWrite,
};
use secrecy::SecretString;
use serde_json::json;
use std::path::Path;

/// Maximum number of names in a sentence.
const MAX_LISTED: usize = 5;

/// The file of `--passport` and the key that signs it. Both are checked before a token is spent.
pub(super) struct PassportFileAndSigningKey {
    file: DeferredOutputFile,
    pub(super) key: PassportSigningKey,
}

impl PassportFileAndSigningKey {
    /// Checks the file of `--passport` and loads the key. `None` without `--passport`.
    pub(super) fn check_passport_path_and_load_key(options: &ValidateOptions) -> Result<Option<Self>, CommandFailure> {
        let Some(path) = &options.passport else { return Ok(None) };
        let file = DeferredOutputFile::check_output_file_can_be_written(path, OutputFileReadPermission::Default)
            .map_err(|error| CommandFailure::usage_error(format!("--passport {}: {error}", path.display())))?;
        Ok(Some(Self { file, key: load_signing_key_or_store_new()? }))
    }

    /// Writes the passport; only warns if there is none or it cannot be written.
    pub(super) fn write_passport_or_warn(&self, signed: Result<SignedPassportToWrite, NoPassportReason>) {
        let path = self.file.path().display();
        let written = signed.map_err(|reason| reason.to_string()).and_then(|passport| {
            let written = self.file.replace_output_bytes(passport.text.as_bytes());
            written.map(|()| passport.differences).map_err(|error| error.to_string())
        });
        match written {
            Ok(differences) => {
                output::eprint_sanitized_line(format_args!("Wrote {path}, signed by {}", self.key.public_signer_key()));
                if !differences.is_empty() {
                    output::eprint_sanitized_line(format_args!(
                        "warning: in the passport {}, because its evidence is masked",
                        describe_verdict_differences(&differences)
                    ));
                }
            }
            Err(why) => output::eprint_sanitized_line(format_args!("warning: {path} was not written: {why}")),
        }
    }
}

/// Loads the key from the environment or the keychain. The first time, a new key is stored in the keychain.
fn load_signing_key_or_store_new() -> Result<PassportSigningKey, CommandFailure> {
    let variable = CredentialKind::PassportKey.overriding_env_var_name();
    if let Some(text) = context::read_unicode_environment_variable(variable).filter(|text| !text.trim().is_empty()) {
        return PassportSigningKey::parse_private_key(&SecretString::from(text))
            .map_err(|error| CommandFailure::usage_error(format!("{variable}: {error}")));
    }
    let keychain = CredentialStore::keychain_backed_store();
    let remedy =
        || format!("set {variable} to a private key, which `openssl genpkey -algorithm ed25519` prints; keep that key");
    let unusable = |error| CommandFailure::from(error).with_remedy(remedy());
    let kind = CredentialKind::PassportKey;
    if let Some(text) = keychain.get_credential("", kind).map_err(unusable)? {
        return PassportSigningKey::parse_private_key(&text)
            .map_err(|error| CommandFailure::usage_error(format!("the keychain's {}: {error}", kind.as_str())));
    }
    let (key, text) =
        PassportSigningKey::generate_key_and_pem().map_err(|error| CommandFailure::usage_error(error.to_string()))?;
    keychain.set_credential("", kind, &text).map_err(unusable)?;
    output::eprint_sanitized_line(format_args!(
        "Generated a {kind} and stored it in the keychain. Publish its public key where your readers trust it: {}",
        key.public_signer_key()
    ));
    Ok(key)
}

/// Runs `copresence validate --verify`: reads a passport, checks its signature, and judges its evidence again. Sends no
/// request. Returns the exit code.
pub(super) fn run_verify_passport(
    common: &CommonOptions,
    path: &Path,
    options: &ValidateOptions,
) -> Result<u8, CommandFailure> {
    let shown = path.display();
    let text = read_bounded_file(path)?;
    let verified = match RejudgedPassport::verify_and_rejudge_passport(&text) {
        Ok(verified) => verified,
        Err(PassportRefusal::Altered(signer)) => {
            let message = PassportRefusal::Altered(signer).to_string();
            if common.json {
                print_json_line(&json!({"event": "passport", "exit": EXIT_ALTERED, "code": "passport_altered",
                    "message": message, "signer": signer.to_string()}));
            } else {
                let message = sanitize_for_terminal(&format!("Not valid: {message}."));
                output::print_stdout_line(format_args!("{message}"));
            }
            return Ok(EXIT_ALTERED);
        }
        Err(refusal) => return Err(CommandFailure::usage_error(format!("--verify {shown}: {refusal}"))),
    };
    let problem = verified.find_first_problem(options.signer.as_ref(), options.fail_on);
    let verdict = describe_verification_result(&verified, problem, options);
    let (exit, code) = exit_code_and_problem_code(problem);
    if common.json {
        print_json_line(&verification_to_json(&verified, &verdict, exit, code));
    } else {
        print_verification(&verified, &verdict, options);
    }
    Ok(exit)
}

/// Exit code for a passport that was changed after it was signed.
const EXIT_ALTERED: u8 = 11;

/// The exit code for a problem, and its stable code. docs/validate.md lists them.
fn exit_code_and_problem_code(problem: Option<PassportInvalidityReason>) -> (u8, Option<&'static str>) {
    match problem {
        None => (0, None),
        Some(PassportInvalidityReason::CheckFailed) => (1, Some("check_failed")),
        Some(PassportInvalidityReason::OtherSigner) => (12, Some("passport_other_signer")),
        Some(PassportInvalidityReason::VerdictsDiffer) => (13, Some("passport_verdicts_differ")),
        Some(PassportInvalidityReason::OtherRequirements) => (14, Some("passport_other_requirements")),
    }
}

/// The result in one sentence.
fn describe_verification_result(
    verified: &RejudgedPassport,
    problem: Option<PassportInvalidityReason>,
    options: &ValidateOptions,
) -> String {
    match (problem, &verified.table_difference) {
        (Some(PassportInvalidityReason::OtherSigner), _) => {
            let expected = options.signer.map_or_else(String::new, |signer| signer.to_string());
            format!("Not valid: it was signed by {}, not by {expected}", verified.signer)
        }
        (Some(PassportInvalidityReason::VerdictsDiffer), _) => {
            format!("Not valid: judged again, {}", describe_verdict_differences(&verified.verdict_differences))
        }
        (Some(PassportInvalidityReason::OtherRequirements), Some(difference)) => {
            format!("Outdated: {}", describe_requirement_changes(difference, verified))
        }
        (Some(PassportInvalidityReason::CheckFailed), _) => {
            let failed: Vec<_> =
                verified.failed_checks_of_level_or_stricter(options.fail_on).map(|check| check.id.as_str()).collect();
            format!("Valid, but the backend failed {}", shorten_list_with_remaining_count(&failed))
        }
        _ => format!(
            "Valid: the backend passed all {} required checks that were judged",
            verified.score.must.judged_check_count()
        ),
    }
}

/// Describes how the table of requirements has changed since the passport was signed, and what that means for the
/// verdicts.
fn describe_requirement_changes(difference: &RequirementTableDifference, verified: &RejudgedPassport) -> String {
    let RequirementTableDifference { signed_version, present_version, added, removed, changed } = difference;
    let age = match signed_version.cmp(present_version) {
        std::cmp::Ordering::Less => "an older",
        std::cmp::Ordering::Equal => "another",
        std::cmp::Ordering::Greater => "a newer",
    };
    let mut text = format!(
        "it was judged by {age} table of requirements (version {signed_version}, here {present_version}; {} added, {} \
         changed, {} removed); ",
        added.len(),
        changed.len(),
        removed.len()
    );
    if verified.verdict_differences.is_empty() {
        text.push_str("judged by the present one, all verdicts are the same");
    } else {
        text.push_str("judged by the present one, ");
        text.push_str(&describe_verdict_differences(&verified.verdict_differences));
    }
    text
}

/// The verdicts that differ, as in `1 verdict differs: http.no-store (pass, now warn)`.
fn describe_verdict_differences(differences: &[RejudgedVerdictDifference]) -> String {
    let count = match differences.len() {
        1 => "1 verdict differs".to_owned(),
        some => format!("{some} verdicts differ"),
    };
    let each = differences
        .iter()
        .map(|difference| format!("{} ({}, now {})", difference.check, difference.before, difference.after));
    format!("{count}: {}", shorten_list_with_remaining_count(&each.collect::<Vec<_>>()))
}

/// The first names of a list, and the number of the others.
fn shorten_list_with_remaining_count<T: AsRef<str>>(names: &[T]) -> String {
    let first: Vec<_> = names.iter().take(MAX_LISTED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(MAX_LISTED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Prints the verification of a passport, as text or with `--json` as one line of JSON.
fn print_verification(verified: &RejudgedPassport, verdict: &str, options: &ValidateOptions) {
    let predicate = &verified.statement.predicate;
    let line = |text: String| output::print_stdout_line(format_args!("{}", sanitize_for_terminal(&text)));
    let sandbox = if predicate.target.sandbox { ", with the phone of a sandbox" } else { "" };
    line(format!("Passport of {} (profile {}){sandbox}", predicate.target.url, predicate.target.name));
    line(format!("Checked  {}, by {} {}", predicate.ended_at, predicate.tool.name, predicate.tool.version));
    let pinned = match options.signer {
        Some(signer) if signer == verified.signer => " (as --signer says)",
        Some(_) => " (not the key of --signer)",
        None => " (compare it with the key that the signer published, or give that as --signer)",
    };
    line(format!("Signed   by {}{pinned}; unchanged since", verified.signer));
    let coverage = &verified.coverage;
    line(format!(
        "Judged   again from {} recorded requests: {} of {} requirements ({} %)",
        verified.step_count,
        coverage.judged,
        coverage.judgeable_requirement_count(),
        coverage.judged_requirements_percent()
    ));
    for check in verified.failed_checks_of_level_or_stricter(Level::Should) {
        line(format!(
            "{:<8} {} {}: {}",
            check.verdict.verdict_word_for_level(check.level),
            check.level.uppercase_level(),
            check.id,
            check.detail
        ));
    }
    line(format!("{verdict}."));
}

/// Converts the verification of a passport to JSON.
fn verification_to_json(verified: &RejudgedPassport, verdict: &str, exit: u8, code: Option<&str>) -> serde_json::Value {
    let predicate = &verified.statement.predicate;
    let differences = verified.verdict_differences.iter();
    let differences: Vec<_> = differences
        .map(|difference| json!({"check": difference.check, "signed": difference.before, "now": difference.after}))
        .collect();
    let failed: Vec<_> =
        verified.failed_checks_of_level_or_stricter(Level::Should).map(|check| check.id.as_str()).collect();
    let table = verified.table_difference.as_ref().map(|table| {
        json!({"signed_version": table.signed_version, "present_version": table.present_version,
            "added": table.added, "changed": table.changed, "removed": table.removed})
    });
    json!({
        "event": "passport", "exit": exit, "code": code, "message": verdict, "signer": verified.signer.to_string(),
        "target": predicate.target, "started_at": predicate.started_at, "ended_at": predicate.ended_at,
        "tool": predicate.tool, "score": verified.score, "coverage": verified.coverage, "failed": failed,
        "requirement_changes": table, "verdict_differences": differences,
    })
}

/// Reads a file of limited size, which a stranger may have made.
fn read_bounded_file(path: &Path) -> Result<Vec<u8>, CommandFailure> {
    use std::io::Read as _;
    let failed =
        |why: &dyn std::fmt::Display| CommandFailure::usage_error(format!("--verify {}: {why}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    // A byte more, so that a larger file is refused as such.
    file.take(MAX_PASSPORT_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    Ok(bytes)
}
