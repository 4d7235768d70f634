//! `--compare A B`: runs the same checks on two backends and lists every difference in form between their responses.

use super::options::ValidateOptions;
use super::render::{ValidateRenderer, print_json_line};
use super::{BackendRunResult, open_backend_and_run_checks, read_report_file};
use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::output;
use copresence_validate::Report;
use copresence_validate::report::shape::{
    DifferenceSignificance, NoiseDifferenceGroup, ShapeDifference, compare_response_shapes, group_noise_differences,
};
use serde_json::json;
use std::path::Path;

/// Prints the differences between two reports. Reads each from a file, or runs the checks on the profile of that name.
/// Returns the exit code.
pub(super) async fn read_or_run_reports_and_print_differences(
    common: &CommonOptions,
    options: &ValidateOptions,
    renderer: &ValidateRenderer,
    first: &str,
    second: &str,
) -> Result<u8, CommandFailure> {
    let one = load_report_or_run_checks(common, options, renderer, first).await?;
    let other = load_report_or_run_checks(common, options, renderer, second).await?;
    let unreached = [&one, &other].into_iter().find(|report| report.error.is_some());
    if let Some(report) = unreached {
        renderer.print_human_line_stderr_if_json(&output::sanitize_for_terminal(&report.summary()));
        return Ok(report.exit);
    }
    let (found, alone) = compare_response_shapes(&one, &other);
    let noise = group_noise_differences(&found);
    if renderer.is_json_output() {
        for difference in &found {
            print_json_line(&json!({"event": "difference", "difference": difference}));
        }
    } else {
        print_differences_of_meaning(renderer, &found, first, second);
        print_insignificant_differences(renderer, &noise, first, second);
    }
    for words in &alone {
        if renderer.is_json_output() {
            print_json_line(&json!({"event": "seen_once", "asked": words}));
        } else {
            renderer.print_human_line_stderr_if_json(&output::sanitize_for_terminal(&format!("not compared: {words}")));
        }
    }
    let exit = u8::from(!found.is_empty());
    let meaning = found.iter().filter(|difference| difference.kind == DifferenceSignificance::Meaning).count();
    if renderer.is_json_output() {
        print_json_line(&json!({
            "event": "ended", "exit": exit, "differences": found.len(), "differences_of_meaning": meaning,
            "not_compared": alone.len(),
        }));
    } else {
        renderer.print_human_line_stderr_if_json("");
        let summary = match (meaning, noise.len()) {
            (0, 0) => format!("No difference of form between {first} and {second}."),
            (0, groups) => {
                format!(
                    "No difference of meaning between {first} and {second}; {}.",
                    describe_insignificant_group_count(groups)
                )
            }
            (some, 0) => format!("{} between {first} and {second}.", describe_difference_count(some)),
            (some, groups) => {
                format!(
                    "{} between {first} and {second}, and {}.",
                    describe_difference_count(some),
                    describe_insignificant_group_count(groups)
                )
            }
        };
        renderer.print_human_line_stderr_if_json(&output::sanitize_for_terminal(&summary));
    }
    Ok(exit)
}

/// Prints each difference that changes what a client does, with the values at both backends.
fn print_differences_of_meaning(renderer: &ValidateRenderer, found: &[ShapeDifference], first: &str, second: &str) {
    for difference in found.iter().filter(|difference| difference.kind == DifferenceSignificance::Meaning) {
        let ShapeDifference { asked, what, first: at_one, second: at_other, .. } = difference;
        for line in
            [format!("{asked}: {what}"), format!("    {first:<12} {at_one}"), format!("    {second:<12} {at_other}")]
        {
            renderer.print_human_line_stderr_if_json(&output::sanitize_for_terminal(&line));
        }
    }
}

/// Prints the groups of differences that change nothing for a client.
fn print_insignificant_differences(
    renderer: &ValidateRenderer,
    groups: &[NoiseDifferenceGroup],
    first: &str,
    second: &str,
) {
    if groups.is_empty() {
        return;
    }
    renderer.print_human_line_stderr_if_json("");
    renderer.print_human_line_stderr_if_json("Noise, which changes nothing for a client:");
    for NoiseDifferenceGroup { what, first: at_one, second: at_other, asked } in groups {
        let places = match asked.as_slice() {
            [only] => only.clone(),
            all => format!("{} kinds of request", all.len()),
        };
        let line = format!("  {what}: {at_one} at {first}, {at_other} at {second} ({places})");
        renderer.print_human_line_stderr_if_json(&output::sanitize_for_terminal(&line));
    }
}

/// The number of differences of meaning, with its noun.
fn describe_difference_count(count: usize) -> String {
    format!("{count} difference{} of meaning", if count == 1 { "" } else { "s" })
}

/// The number of groups of noise, with its noun.
fn describe_insignificant_group_count(groups: usize) -> String {
    format!("{groups} kind{} of noise", if groups == 1 { "" } else { "s" })
}

/// Reads an earlier report from a file, or checks the profile of that name now.
async fn load_report_or_run_checks(
    common: &CommonOptions,
    options: &ValidateOptions,
    renderer: &ValidateRenderer,
    which: &str,
) -> Result<Report, CommandFailure> {
    let path = Path::new(which);
    if path.is_file() {
        return read_report_file(path);
    }
    // --api-url and --link would apply to both backends.
    let common = CommonOptions { profile: Some(which.to_owned()), api_url: None, link: None, ..common.clone() };
    let BackendRunResult { report, remedy, .. } = open_backend_and_run_checks(&common, options, renderer, None).await?;
    if !renderer.is_json_output() {
        let summary = output::sanitize_for_terminal(&report.summary());
        renderer.print_human_line_stderr_if_json(&format!("{which}: {summary}"));
        if let Some(remedy) = remedy {
            renderer
                .print_human_line_stderr_if_json(&format!("What to do: {}.", output::sanitize_for_terminal(&remedy)));
        }
        renderer.print_human_line_stderr_if_json("");
    }
    Ok(report)
}
