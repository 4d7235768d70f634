//! Checks of the downloaded files, and of the avatar in them.

use crate::act::Act;
use crate::check::{Check, CheckResult, FindingCollector};
use crate::file_content::{
    FileContent, GltfFacts, InspectionError, MAX_LISTED_NAME_LEN, extension_for_export_type, shorten_text,
};
use crate::observations::{Observations, RecordedStep, StepRole};
use crate::response_fields;
use crate::run_plan::WRONG_REQUESTS_OFF;
use copresence_client::{CallKind, explain_misconfigured_public_url};
use url::Url;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "files.download",
        title: "Each URL returns its complete file",
        required_acts: &[Act::Files],
        remedy: "Serve each URL with 200 and as many bytes as Content-Length says, without requiring credentials, at a host that the console can reach: the backend's public URL, not `localhost` or an internal name.",
        judge: check_downloads_returned_content,
    },
    Check {
        id: "files.once",
        title: "Each URL works once",
        required_acts: &[Act::Files],
        remedy: "Invalidate a download URL once its last byte was sent, and answer 403, 404 or 410 from then on.",
        judge: check_urls_single_use,
    },
    Check {
        id: "files.end",
        title: "An unused URL expires",
        required_acts: &[Act::UrlsEnd],
        remedy: "Give download URLs a lifetime of a few minutes: an old URL that somebody finds must not return a person's face.",
        judge: check_urls_expire,
    },
    Check {
        id: "files.content",
        title: "Each file is of the type that its `export_type` says",
        required_acts: &[Act::Files],
        remedy: "Check the export: the file is broken, or `export_type` names another format. For a GLB, run the official glTF validator.",
        judge: check_files_match_export_type,
    },
    Check {
        id: "files.compatible",
        title: "Each file has only what every program understands",
        required_acts: &[Act::Files],
        remedy: "Write the file without data behind its end, and archives with Deflate and UTF-8 names: some programs refuse what is valid but unusual.",
        judge: check_files_are_widely_readable,
    },
    Check {
        id: "files.no-store",
        title: "Files must not be cached",
        required_acts: &[Act::Files],
        remedy: "Send `Cache-Control: no-store` with each file: otherwise a cache could serve a person's face again.",
        judge: check_downloads_forbid_caching,
    },
    Check {
        id: "avatar.glb-offered",
        title: "A GLB is among the exports",
        required_acts: &[Act::Visit],
        remedy: "Ask the vendor to enable GLB, the recommended type, for the account.",
        judge: check_delivery_contains_glb,
    },
    Check {
        id: "avatar.vertices",
        title: "The GLB has the vertices of a head (5,000 to 60,000)",
        required_acts: &[Act::Files],
        remedy: "Compare with the vendor's default of about 26,000 vertices: fewer is a placeholder, more is not an optimised mesh.",
        judge: |observations| {
            check_property_of_valid_models(observations, "between 5,000 and 60,000 vertices", |glb| {
                ((5_000..=60_000).contains(&glb.vertices), format!("{} vertices", glb.vertices))
            })
        },
    },
    Check {
        id: "avatar.blendshapes",
        title: "The GLB has the ARKit blendshapes",
        required_acts: &[Act::Files],
        remedy: "Export with blendshapes, with ARKit's names in `targetNames`: without them the face does not move.",
        judge: |observations| {
            check_property_of_valid_models(
                observations,
                "the ARKit names, except gaze and tongue",
                judge_arkit_blendshapes,
            )
        },
    },
    Check {
        id: "avatar.textures",
        title: "The GLB has a texture",
        required_acts: &[Act::Files],
        remedy: "Export with textures, embedded in the GLB.",
        judge: |observations| {
            check_property_of_valid_models(observations, "at least one texture", |glb| {
                (glb.textures > 0, format!("{} textures", glb.textures))
            })
        },
    },
    Check {
        id: "avatar.rig",
        title: "The GLB has a rig for neck and eyes",
        required_acts: &[Act::Files],
        remedy: "Export with the rig: at least the neck and both eyes as joints of a skin.",
        judge: |observations| {
            check_property_of_valid_models(observations, "at least three joints", |glb| {
                (glb.joints >= 3, format!("{} joints", glb.joints))
            })
        },
    },
];

/// Required blendshapes: Apple's names (`ARFaceAnchor.BlendShapeLocation`) without nine optional ones: eight for the
/// gaze, which a rig of the eyes replaces, and one for the tongue.
const ARKIT_BLENDSHAPES: [&str; 43] = [
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
];

const NO_DOWNLOAD: &str = "no file was downloaded";

/// Each delivered file was downloaded with a 2xx status and a body that is not empty. Inconclusive if a file server only
/// answered with server errors (5xx) or rate limits (429), and no other file was refused or incomplete.
fn check_downloads_returned_content(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    let mut unanswered = Vec::new();
    for step in observations.steps_with_role(StepRole::Download) {
        if step.reply.is_some() && !observations.is_certain_api_answer(step) {
            unanswered
                .push(format!("a file server answered only with an error: {}", step.describe_status_or_no_response()));
            continue;
        }
        let empty = step.reply.as_ref().is_some_and(|reply| reply.body.is_empty());
        let mut received = if empty {
            format!("{} and an empty body", step.describe_status_or_no_response())
        } else {
            step.describe_status_or_no_response()
        };
        if let Some(misconfiguration) = explain_misconfigured_download_url(observations, step) {
            received = format!("{received}: {misconfiguration}");
        }
        collector.record_step_result(step, step.has_success_status() && !empty, "2xx and the complete file", received);
    }
    if !unanswered.is_empty() && !collector.has_findings() {
        return CheckResult::Inconclusive(join_first_texts_and_count_rest(&unanswered));
    }
    collector.into_check_result("each file was complete", NO_DOWNLOAD)
}

/// Why the URL of a download shows that the backend's public URL is misconfigured. A file that was downloaded has none.
fn explain_misconfigured_download_url(observations: &Observations, step: &RecordedStep) -> Option<String> {
    let redeem = observations.steps.iter().find(|step| step.exchange.call == CallKind::Redeem)?;
    let url = |step: &RecordedStep| Url::parse(&step.exchange.url).ok();
    explain_misconfigured_public_url(&url(step)?, &url(redeem)?)
}

/// A download URL is refused after its file was downloaded once.
fn check_urls_single_use(observations: &Observations) -> CheckResult {
    if observations.target_info.only_valid_requests {
        return CheckResult::Skipped(WRONG_REQUESTS_OFF.to_owned());
    }
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(StepRole::DownloadAgain).filter(|step| step.reply.is_some()) {
        let good = step.response_status().is_some_and(|status| status >= 400);
        collector.record_step_result(
            step,
            good,
            "a refusal (4xx), because the URL was used before",
            step.describe_status_or_no_response(),
        );
    }
    collector.into_check_result("refused the second time", NO_DOWNLOAD)
}

/// Downloads of unused URLs after their lifetime are refused (400 or above).
fn check_urls_expire(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(StepRole::LateDownload).filter(|step| step.reply.is_some()) {
        let good = step.response_status().is_some_and(|status| status >= 400);
        collector.record_step_result(
            step,
            good,
            "a refusal (4xx), because the URL has expired",
            step.describe_status_or_no_response(),
        );
    }
    collector.into_check_result("expired", "there was no unused URL")
}

/// The content of each inspected file is valid for its `export_type`. Inconclusive if a file could not be examined and
/// none is invalid.
fn check_files_match_export_type(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    let (mut kinds, mut unexamined) = (Vec::new(), Vec::new());
    for (index, file) in observations.files.iter().enumerate() {
        let (Some(content), Some(step)) = (
            &file.content,
            observations.steps_with_role(StepRole::Download).find(|step| step.file_index == Some(index)),
        ) else {
            continue;
        };
        let extension = shorten_text(&extension_for_export_type(&file.export_type), MAX_LISTED_NAME_LEN);
        match content {
            Ok(content) => {
                collector.mark_step_examined(step);
                kinds.push(content.describe_content());
            }
            Err(InspectionError::Invalid(reason)) => {
                collector.record_step_result(step, false, format!("a file of the type {extension}"), reason);
            }
            Err(error @ InspectionError::NotExamined(_)) => unexamined.push(format!("the {extension} file {error}")),
        }
    }
    if !unexamined.is_empty() && !collector.has_findings() {
        return CheckResult::Inconclusive(join_first_texts_and_count_rest(&unexamined));
    }
    collector.into_check_result(join_first_texts_and_count_rest(&kinds), NO_DOWNLOAD)
}

/// No valid file is unusual in a way that some programs do not understand.
fn check_files_are_widely_readable(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (index, file) in observations.files.iter().enumerate() {
        let step = observations.steps_with_role(StepRole::Download).find(|step| step.file_index == Some(index));
        if let (Some(Ok(content)), Some(step)) = (&file.content, step) {
            let extension = shorten_text(&extension_for_export_type(&file.export_type), MAX_LISTED_NAME_LEN);
            let notes = join_first_texts_and_count_rest(content.notes());
            collector.record_step_result(
                step,
                notes.is_empty(),
                format!("a usual file of the type {extension}"),
                notes,
            );
        }
    }
    collector.into_check_result("nothing unusual", "no valid file was downloaded")
}

/// Maximum number of files that the detail of a check describes.
const MAX_DESCRIBED_FILES: usize = 10;

/// Joins the texts about the first files, and adds the number of the others.
fn join_first_texts_and_count_rest(texts: &[String]) -> String {
    let first = texts[..texts.len().min(MAX_DESCRIBED_FILES)].join("; ");
    match texts.len().saturating_sub(MAX_DESCRIBED_FILES) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

/// Each successful first download has `Cache-Control: no-store`.
fn check_downloads_forbid_caching(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    for step in observations.steps_with_role(StepRole::Download).filter(|step| step.has_success_status()) {
        collector.record_field_result(
            step,
            response_fields::judge_cache_control(step.response_header("cache-control").as_deref()),
        );
    }
    collector.into_check_result("no-store", NO_DOWNLOAD)
}

/// The delivery contains at least one export of the type `glb`.
fn check_delivery_contains_glb(observations: &Observations) -> CheckResult {
    let mut collector = FindingCollector::default();
    if let Some(step) = observations.delivery_step() {
        let kinds = step.delivered_urls_and_types().into_iter().map(|(_, kind)| extension_for_export_type(&kind));
        // Other checks judge missing types and URLs.
        let kinds: Vec<_> = kinds.filter(|kind| !kind.is_empty()).collect();
        if !kinds.is_empty() {
            let received = format!("{} exports of other types", kinds.len());
            collector.record_step_result(
                step,
                kinds.iter().any(|kind| kind == "glb"),
                "an export of the type glb",
                received,
            );
        }
    }
    collector.into_check_result("offered", "no URLs were delivered")
}

/// Whether a GLB has every ARKit blendshape, and which are missing.
fn judge_arkit_blendshapes(glb: &GltfFacts) -> (bool, String) {
    let missing: Vec<_> = ARKIT_BLENDSHAPES.into_iter().filter(|name| !glb.blendshapes.contains(*name)).collect();
    let some = missing.iter().take(4).copied().collect::<Vec<_>>().join(", ");
    (missing.is_empty(), format!("{} are missing, for example {some}", missing.len()))
}

/// Judges a property of each valid glTF model, also of those in archives.
fn check_property_of_valid_models(
    observations: &Observations,
    expected: &str,
    good: fn(&GltfFacts) -> (bool, String),
) -> CheckResult {
    let mut collector = FindingCollector::default();
    for (index, file) in observations.files.iter().enumerate() {
        let step = observations.steps_with_role(StepRole::Download).find(|step| step.file_index == Some(index));
        let content = file.content.as_ref().and_then(|content| content.as_ref().ok());
        if let (Some(facts), Some(step)) = (content.and_then(FileContent::shown_model), step) {
            let (good, received) = good(facts);
            collector.record_step_result(step, good, expected, received);
        }
    }
    collector.into_check_result(expected, "no valid glTF model was downloaded")
}
