//! The files behind the URLs.

use super::Wrong::{Faults, Layer};
use super::{Mutant, mutant};
use crate::wrong::{Memory, answers, edit_glb, files};
use axum::Router;
use serde_json::{Value, json};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn mutants() -> Vec<Mutant> {
    vec![
        mutant(
            "a URL that works twice",
            &["files.once"],
            Layer(|_, app| {
                let kept = Memory::default();
                answers(app, move |asked, answer| {
                    if asked.path.starts_with("/files/") {
                        match answer.status() {
                            200 => kept.put(&asked.path, answer.body.clone()),
                            _ if kept.get(&asked.path).is_some() => {
                                answer.set_status(200);
                                answer.body = kept.get(&asked.path).expect("kept");
                            }
                            _ => {}
                        }
                    }
                })
            }),
        ),
        mutant(
            "URLs without an end",
            &["files.end"],
            Layer(|_, app| {
                answers(app, |asked, answer| {
                    let over = String::from_utf8_lossy(&answer.body).contains("expired");
                    if asked.path.starts_with("/files/") && over {
                        answer.set_status(200);
                        answer.body = b"a face".to_vec();
                    }
                })
            }),
        ),
        mutant(
            "a file that is cut",
            &["files.download"],
            Faults(r#"[{"on":"file","export_type":"glb","nth":1,"do":{"cut_body":{"after":4096}}}]"#),
        ),
        mutant(
            "a file that is refused",
            &["files.download"],
            Faults(r#"[{"on":"file","export_type":"png","nth":1,"do":{"status":{"code":404}}}]"#),
        ),
        mutant(
            "a web page in place of the GLB",
            &["files.content"],
            Layer(|_, app| files(app, ".glb", |answer| answer.body = b"<!doctype html><p>Sorry!".to_vec())),
        ),
        mutant(
            "a GLB of another version",
            &["files.content"],
            Layer(|_, app| files(app, ".glb", |answer| answer.body[4] = 1)),
        ),
        mutant(
            "a GLB that ends early",
            &["files.content"],
            Layer(|_, app| {
                files(app, ".glb", |answer| {
                    let half = answer.body.len() / 2;
                    answer.body.truncate(half);
                })
            }),
        ),
        mutant(
            "an accessor over its view",
            &["files.content"],
            Layer(|_, app| glb(app, |document| document["accessors"][0]["count"] = json!(90_000_000))),
        ),
        mutant(
            "a GLB whose texture is no picture",
            &["files.content"],
            Layer(|_, app| {
                glb(app, |document| {
                    document["images"][0]["bufferView"] =
                        document["meshes"][0]["primitives"][0]["indices"].clone();
                })
            }),
        ),
        mutant(
            "a portrait that is no PNG",
            &["files.content"],
            Layer(|_, app| files(app, ".png", |answer| answer.body = b"GIF89a".to_vec())),
        ),
        mutant(
            "a zip that is broken",
            &["files.content"],
            Layer(|_, app| {
                files(app, ".zip", |answer| {
                    let middle = answer.body.len() / 2;
                    answer.body[middle..middle + 64].fill(0);
                })
            }),
        ),
        mutant(
            "blendshapes under other names",
            &["avatar.blendshapes"],
            Layer(|_, app| {
                glb(app, |document| {
                    for name in document["meshes"][0]["extras"]["targetNames"].as_array_mut().expect("names")
                    {
                        *name = json!(format!("shape_{}", name.as_str().expect("a name")));
                    }
                })
            }),
        ),
        mutant(
            "no texture",
            &["avatar.textures"],
            Layer(|_, app| {
                glb(app, |document| {
                    let document = document.as_object_mut().expect("an object");
                    document.remove("textures");
                    for material in document["materials"].as_array_mut().expect("materials") {
                        *material = json!({});
                    }
                })
            }),
        ),
        mutant(
            "no rig",
            &["avatar.rig"],
            Layer(|_, app| {
                glb(app, |document| {
                    let document = document.as_object_mut().expect("an object");
                    document.remove("skins");
                    for node in document["nodes"].as_array_mut().expect("nodes") {
                        node.as_object_mut().expect("an object").remove("skin");
                    }
                })
            }),
        ),
        mutant(
            "a pair of eyes instead of a head",
            &["avatar.blendshapes", "avatar.vertices"],
            Layer(|_, app| {
                glb(app, |document| {
                    let meshes = document["meshes"].as_array().expect("meshes");
                    let eyes = meshes.iter().find(|mesh| mesh["name"] == "eyes").expect("eyes").clone();
                    document["meshes"] = json!([eyes]);
                    for node in document["nodes"].as_array_mut().expect("nodes") {
                        if node.get("mesh").is_some() {
                            node["mesh"] = json!(0);
                        }
                    }
                })
            }),
        ),
        mutant(
            "files that may be cached",
            &["files.no-store"],
            Faults(r#"[{"on":"file","do":{"headers":{"set":{"cache-control":"public, max-age=600"}}}}]"#),
        ),
    ]
}

fn glb(app: Router, change: impl Fn(&mut Value) + Clone + Send + Sync + 'static) -> Router {
    files(app, ".glb", move |answer| edit_glb(&mut answer.body, |document| change(document)))
}
