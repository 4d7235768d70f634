//! `--compare A B`: runs the same checks on two backends and lists every difference in form between their responses.

use super::options::Options;
use super::show::{Show, line};
use super::{checked, read};
use crate::common_options::Common;
use crate::failure::Failure;
use crate::output;
use serde_json::json;
use std::path::Path;
use validate::Report;
use validate::report::shape::differences;

pub(super) async fn run(
    common: &Common,
    options: &Options,
    show: &Show,
    first: &str,
    second: &str,
) -> Result<u8, Failure> {
    let one = report(common, options, show, first).await?;
    let other = report(common, options, show, second).await?;
    let unreached = [&one, &other].into_iter().find(|report| report.error.is_some());
    if let Some(report) = unreached {
        show.say(&report.summary());
        return Ok(report.exit);
    }
    let (found, alone) = differences(&one, &other);
    for difference in &found {
        if show.is_json() {
            line(&json!({"event": "difference", "difference": difference}));
        } else {
            let validate::report::shape::Difference { asked, what, first: at_one, second: at_other } =
                difference;
            let words = format!("{asked}: {what}\n    {first:<12} {at_one}\n    {second:<12} {at_other}");
            show.say(&output::tame(&words));
        }
    }
    for words in &alone {
        if show.is_json() {
            line(&json!({"event": "seen_once", "asked": words}));
        } else {
            show.say(&output::tame(&format!("not compared: {words}")));
        }
    }
    let exit = u8::from(!found.is_empty());
    if show.is_json() {
        line(
            &json!({"event": "ended", "exit": exit, "differences": found.len(), "not_compared": alone.len()}),
        );
    } else {
        show.say(&match found.len() {
            0 => format!("\nNo difference of form between {first} and {second}."),
            1 => format!("\n1 difference of form between {first} and {second}."),
            many => format!("\n{many} differences of form between {first} and {second}."),
        });
    }
    Ok(exit)
}

/// Reads an earlier report from a file, or checks the profile of that name now.
async fn report(common: &Common, options: &Options, show: &Show, which: &str) -> Result<Report, Failure> {
    let path = Path::new(which);
    if path.is_file() {
        return read(path);
    }
    // --api-url and --link would apply to both backends.
    let common = Common { profile: Some(which.to_owned()), api_url: None, link: None, ..common.clone() };
    let (report, _) = checked(&common, options, show).await?;
    if !show.is_json() {
        show.say(&format!("{which}: {}\n", report.summary()));
    }
    Ok(report)
}
