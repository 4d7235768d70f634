//! Checks of the downloaded files, and of the avatar in them.

use crate::act::Act;
use crate::check::{Check, Judged, Sheet};
use crate::content::{GlbFacts, Inspected, extension};
use crate::plan::NO_WRONG_REQUESTS;
use crate::points;
use crate::seen::{Role, Seen};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "files.download",
        title: "Each URL returns its complete file",
        needs: &[Act::Files],
        remedy: "Serve each URL with 200 and as many bytes as Content-Length says, without requiring credentials.",
        judge: download,
    },
    Check {
        id: "files.once",
        title: "Each URL works once",
        needs: &[Act::Files],
        remedy: "Invalidate a download URL once its last byte was sent, and answer 403, 404 or 410 from then on.",
        judge: once,
    },
    Check {
        id: "files.end",
        title: "An unused URL expires",
        needs: &[Act::UrlsEnd],
        remedy: "Give download URLs a lifetime of a few minutes: an old URL that somebody finds must not return a person's face.",
        judge: end,
    },
    Check {
        id: "files.content",
        title: "Each file is of the type that its `export_type` says",
        needs: &[Act::Files],
        remedy: "Check the export: the file is broken, or `export_type` names another format. For a GLB, run the official glTF validator.",
        judge: content,
    },
    Check {
        id: "files.no-store",
        title: "Files must not be cached",
        needs: &[Act::Files],
        remedy: "Send `Cache-Control: no-store` with each file: otherwise a cache could serve a person's face again.",
        judge: no_store,
    },
    Check {
        id: "avatar.glb-offered",
        title: "A GLB is among the exports",
        needs: &[Act::Visit],
        remedy: "Ask the vendor to enable GLB, the recommended type, for the account.",
        judge: glb_offered,
    },
    Check {
        id: "avatar.vertices",
        title: "The GLB has the vertices of a head (5,000 to 60,000)",
        needs: &[Act::Files],
        remedy: "Compare with the vendor's default of about 26,000 vertices: fewer is a placeholder, more is not an optimised mesh.",
        judge: |observations| {
            glb(observations, "between 5,000 and 60,000 vertices", |glb| {
                ((5_000..=60_000).contains(&glb.vertices), format!("{} vertices", glb.vertices))
            })
        },
    },
    Check {
        id: "avatar.blendshapes",
        title: "The GLB has the ARKit blendshapes",
        needs: &[Act::Files],
        remedy: "Export with blendshapes, with ARKit's names in `targetNames`: without them the face does not move.",
        judge: |observations| glb(observations, "the ARKit names, except gaze and tongue", blendshapes),
    },
    Check {
        id: "avatar.textures",
        title: "The GLB has a texture",
        needs: &[Act::Files],
        remedy: "Export with textures, embedded in the GLB.",
        judge: |observations| {
            glb(observations, "at least one texture", |glb| {
                (glb.textures > 0, format!("{} textures", glb.textures))
            })
        },
    },
    Check {
        id: "avatar.rig",
        title: "The GLB has a rig for neck and eyes",
        needs: &[Act::Files],
        remedy: "Export with the rig: at least the neck and both eyes as joints of a skin.",
        judge: |observations| {
            glb(observations, "at least three joints", |glb| {
                (glb.joints >= 3, format!("{} joints", glb.joints))
            })
        },
    },
];

/// Required blendshapes: Apple's names (`ARFaceAnchor.BlendShapeLocation`) without nine optional ones: eight for the
/// gaze, which a rig of the eyes replaces, and one for the tongue.
const ARKIT: [&str; 43] = [
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

const NONE: &str = "no file was downloaded";

fn download(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::Download) {
        let empty = step.reply.as_ref().is_some_and(|reply| reply.body.is_empty());
        let received = if empty { format!("{} and an empty body", step.came()) } else { step.came() };
        collector.expect(step, step.succeeded() && !empty, "2xx and the complete file", received);
    }
    collector.judged("each file was complete", NONE)
}

fn once(observations: &Seen) -> Judged {
    if observations.ground.right_only {
        return Judged::Skipped(NO_WRONG_REQUESTS.to_owned());
    }
    let mut collector = Sheet::default();
    for step in observations.of(Role::DownloadAgain).filter(|step| step.reply.is_some()) {
        let good = step.status().is_some_and(|status| status >= 400);
        collector.expect(step, good, "a refusal (4xx), because the URL was used before", step.came());
    }
    collector.judged("refused the second time", NONE)
}

fn end(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::LateDownload).filter(|step| step.reply.is_some()) {
        let good = step.status().is_some_and(|status| status >= 400);
        collector.expect(step, good, "a refusal (4xx), because the URL has expired", step.came());
    }
    collector.judged("expired", "there was no unused URL")
}

fn content(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    let mut kinds = Vec::new();
    for (index, file) in observations.files.iter().enumerate() {
        let (Some(content), Some(step)) =
            (&file.content, observations.of(Role::Download).find(|step| step.file == Some(index)))
        else {
            continue;
        };
        let defect = content.problem();
        let expected = format!("a file of the type {}", extension(&file.export_type));
        collector.expect(step, defect.is_none(), expected, defect.unwrap_or_default());
        kinds.push(content.words());
    }
    collector.judged(kinds.join("; "), NONE)
}

fn no_store(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::Download).filter(|step| step.succeeded()) {
        collector.point(step, points::no_store(step.header("cache-control").as_deref()));
    }
    collector.judged("no-store", NONE)
}

fn glb_offered(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    if let Some(step) = observations.delivery() {
        let kinds = step.urls().into_iter().map(|(_, kind)| extension(&kind));
        // Other checks judge missing types and URLs.
        let kinds: Vec<_> = kinds.filter(|kind| !kind.is_empty()).collect();
        if !kinds.is_empty() {
            let received = format!("{} exports of other types", kinds.len());
            collector.expect(
                step,
                kinds.iter().any(|kind| kind == "glb"),
                "an export of the type glb",
                received,
            );
        }
    }
    collector.judged("offered", "no URLs were delivered")
}

fn blendshapes(glb: &GlbFacts) -> (bool, String) {
    let missing: Vec<_> = ARKIT.into_iter().filter(|name| !glb.blendshapes.contains(*name)).collect();
    let some = missing.iter().take(4).copied().collect::<Vec<_>>().join(", ");
    (missing.is_empty(), format!("{} are missing, for example {some}", missing.len()))
}

/// Judges a property of each valid GLB.
fn glb(observations: &Seen, expected: &str, good: fn(&GlbFacts) -> (bool, String)) -> Judged {
    let mut collector = Sheet::default();
    for (index, file) in observations.files.iter().enumerate() {
        let step = observations.of(Role::Download).find(|step| step.file == Some(index));
        if let (Some(Inspected::Glb(Ok(facts))), Some(step)) = (&file.content, step) {
            let (good, received) = good(facts);
            collector.expect(step, good, expected, received);
        }
    }
    collector.judged(expected, "no valid GLB was downloaded")
}
