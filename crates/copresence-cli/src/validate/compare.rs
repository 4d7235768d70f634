//! `--compare A B`: runs the same checks on two backends and lists every difference in form between their responses.

use super::options::ValidateOptions;
use super::render::{ValidateRenderer, print_json_line};
use super::{CheckedBackend, open_and_check_backend, read_report_file};
use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::output;
use copresence_validate::Report;
use copresence_validate::report::shape::compare_response_shapes;
use serde_json::json;
use std::path::Path;

/// Prints the differences between two reports, each from a file or from a run of the named profile.
pub(super) async fn print_differences_between_reports(
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
        renderer.print_human_line_beside_json(&output::sanitize_for_terminal(&report.summary()));
        return Ok(report.exit);
    }
    let (found, alone) = compare_response_shapes(&one, &other);
    for difference in &found {
        if renderer.is_json_output() {
            print_json_line(&json!({"event": "difference", "difference": difference}));
        } else {
            let copresence_validate::report::shape::ShapeDifference { asked, what, first: at_one, second: at_other } =
                difference;
            for line in [
                format!("{asked}: {what}"),
                format!("    {first:<12} {at_one}"),
                format!("    {second:<12} {at_other}"),
            ] {
                renderer.print_human_line_beside_json(&output::sanitize_for_terminal(&line));
            }
        }
    }
    for words in &alone {
        if renderer.is_json_output() {
            print_json_line(&json!({"event": "seen_once", "asked": words}));
        } else {
            renderer.print_human_line_beside_json(&output::sanitize_for_terminal(&format!("not compared: {words}")));
        }
    }
    let exit = u8::from(!found.is_empty());
    if renderer.is_json_output() {
        print_json_line(
            &json!({"event": "ended", "exit": exit, "differences": found.len(), "not_compared": alone.len()}),
        );
    } else {
        renderer.print_human_line_beside_json("");
        renderer.print_human_line_beside_json(&match found.len() {
            0 => format!("No difference of form between {first} and {second}."),
            1 => format!("1 difference of form between {first} and {second}."),
            many => format!("{many} differences of form between {first} and {second}."),
        });
    }
    Ok(exit)
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
    let CheckedBackend { report, remedy, .. } = open_and_check_backend(&common, options, renderer).await?;
    if !renderer.is_json_output() {
        let summary = output::sanitize_for_terminal(&report.summary());
        renderer.print_human_line_beside_json(&format!("{which}: {summary}"));
        if let Some(remedy) = remedy {
            renderer.print_human_line_beside_json(&format!("What to do: {}.", output::sanitize_for_terminal(&remedy)));
        }
        renderer.print_human_line_beside_json("");
    }
    Ok(report)
}
