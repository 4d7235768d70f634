//! Mutants of the downloaded files.

use super::Mutation::{Faults, Layer};
use super::{Mutant, mutant};
use crate::layers::{Memory, change_delivery, change_files, change_responses, edit_glb};
use crate::support::{
    Assets, run_checks, run_options, sandbox_credentials, sandbox_phone, serve_router, vendor_target,
};
use axum::Router;
use copresence_validate::Verdict;
use serde_json::{Value, json};

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn mutants() -> Vec<Mutant> {
    vec![
        mutant(
            "a URL that works twice",
            &["files.once"],
            Layer(|_, app| {
                let kept = Memory::default();
                change_responses(app, move |request, response| {
                    if request.path.starts_with("/files/") {
                        match response.status() {
                            200 => kept.put(&request.path, response.body.clone()),
                            _ if kept.get(&request.path).is_some() => {
                                response.set_status(200);
                                response.body = kept.get(&request.path).expect("kept");
                            }
                            _ => {}
                        }
                    }
                })
            }),
        ),
        mutant(
            "URLs that never expire",
            &["files.end"],
            Layer(|_, app| {
                change_responses(app, |request, response| {
                    let over = String::from_utf8_lossy(&response.body).contains("expired");
                    if request.path.starts_with("/files/") && over {
                        response.set_status(200);
                        response.body = b"a face".to_vec();
                    }
                })
            }),
        ),
        mutant(
            "a truncated file",
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
            Layer(|_, app| change_files(app, ".glb", |response| response.body = b"<!doctype html><p>Sorry!".to_vec())),
        ),
        mutant(
            "a GLB of another version",
            &["files.content"],
            Layer(|_, app| change_files(app, ".glb", |response| response.body[4] = 1)),
        ),
        mutant(
            "a truncated GLB",
            &["files.content"],
            Layer(|_, app| {
                change_files(app, ".glb", |response| {
                    let half = response.body.len() / 2;
                    response.body.truncate(half);
                })
            }),
        ),
        mutant(
            "an accessor that exceeds its buffer view",
            &["files.content"],
            Layer(|_, app| change_glb(app, |document| document["accessors"][0]["count"] = json!(90_000_000))),
        ),
        mutant(
            "positions that refer to no accessor",
            &["files.content"],
            Layer(|_, app| {
                change_glb(app, |document| {
                    document["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = json!(4000);
                })
            }),
        ),
        mutant(
            "a GLB whose texture is not a picture",
            &["files.content"],
            Layer(|_, app| {
                change_glb(app, |document| {
                    document["images"][0]["bufferView"] = document["meshes"][0]["primitives"][0]["indices"].clone();
                })
            }),
        ),
        mutant(
            "a GLB with bytes after its end",
            &["files.compatible"],
            Layer(|_, app| change_files(app, ".glb", |response| response.body.extend(b"end of file"))),
        ),
        mutant(
            "a GLB whose normals are not of length 1",
            &["files.content"],
            Layer(|_, app| {
                change_glb(app, |document| {
                    let positions = document["meshes"][0]["primitives"][0]["attributes"]["POSITION"].clone();
                    document["meshes"][0]["primitives"][0]["attributes"]["NORMAL"] = positions;
                })
            }),
        ),
        mutant(
            "a portrait that is not a PNG",
            &["files.content"],
            Layer(|_, app| change_files(app, ".png", |response| response.body = b"GIF89a".to_vec())),
        ),
        mutant(
            "a broken zip",
            &["files.content"],
            Layer(|_, app| {
                change_files(app, ".zip", |response| {
                    let middle = response.body.len() / 2;
                    response.body[middle..middle + 64].fill(0);
                })
            }),
        ),
        mutant(
            "blendshapes under other names",
            &["avatar.blendshapes"],
            Layer(|_, app| {
                change_glb(app, |document| {
                    for name in document["meshes"][0]["extras"]["targetNames"].as_array_mut().expect("names") {
                        *name = json!(format!("shape_{}", name.as_str().expect("a name")));
                    }
                })
            }),
        ),
        mutant(
            "no texture",
            &["avatar.textures"],
            Layer(|_, app| {
                change_glb(app, |document| {
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
                change_glb(app, |document| {
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
                change_glb(app, |document| {
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

fn change_glb(app: Router, change: impl Fn(&mut Value) + Clone + Send + Sync + 'static) -> Router {
    change_files(app, ".glb", move |response| edit_glb(&mut response.body, |document| change(document)))
}

/// Case: `download_URL` on `localhost`, a private host, relative, with `&amp;`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_url_in_the_backends_own_network_fails_with_the_misconfigured_public_url() {
    let assets = Assets::make();
    let sandbox = assets.sandbox();
    let app = change_delivery(copresence_sandbox::build_router(sandbox.clone()), |body| {
        for entry in body["payload_complete"].as_array_mut().expect("a list") {
            entry["download_URL"] = json!("http://file-store:9000/avatar.glb");
        }
    });
    let serving = serve_router(app).await;
    let target = vendor_target(&serving.url, sandbox_credentials(&sandbox));
    let (_, ended) = run_checks(&target, &run_options(), &sandbox_phone(&serving.url).await).await;
    let (_, result) = ended.check_results.iter().find(|(check, _)| check.id == "files.download").expect("a check");
    assert_eq!(result.verdict(), Verdict::Fail);
    let words = format!("{result:?}");
    assert!(words.contains("file-store:9000") && words.contains("public URL is misconfigured"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_above_the_limits_of_the_inspection_leaves_its_check_inconclusive() {
    let assets = Assets::make();
    let sandbox = assets.sandbox();
    let app = change_glb(copresence_sandbox::build_router(sandbox.clone()), |document| {
        document["images"] = json!(vec![document["images"][0].clone(); 257]);
    });
    let serving = serve_router(app).await;
    let target = vendor_target(&serving.url, sandbox_credentials(&sandbox));
    let (_, ended) = run_checks(&target, &run_options(), &sandbox_phone(&serving.url).await).await;
    let (_, result) = ended.check_results.iter().find(|(check, _)| check.id == "files.content").expect("a check");
    assert_eq!(result.verdict(), Verdict::Inconclusive);
    let reason = "the glb file could not be examined: it has 257 images, and at most 256 are examined";
    assert_eq!(result.findings_or_reason_sentences(), [reason]);
}

/// A zip archive of one stored entry.
fn build_zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file(name, options).expect("an entry");
    std::io::Write::write_all(&mut archive, content).expect("written");
    archive.finish().expect("an archive").into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_in_a_zip_archive_is_judged_like_one_that_is_delivered_alone() {
    let assets = Assets::make();
    let sandbox = assets.sandbox();
    let app = change_delivery(copresence_sandbox::build_router(sandbox.clone()), |body| {
        for entry in body["payload_complete"].as_array_mut().expect("a list") {
            if entry["export_type"] == "glb" {
                entry["export_type"] = json!("zip");
            }
        }
    });
    let app = change_files(app, ".glb", |response| {
        edit_glb(&mut response.body, |document| {
            for mesh in document["meshes"].as_array_mut().expect("meshes") {
                // Only some meshes have blendshapes.
                let names = mesh.pointer_mut("/extras/targetNames").and_then(Value::as_array_mut);
                for name in names.into_iter().flatten().filter(|name| **name == "jawOpen") {
                    *name = json!("renamed");
                }
            }
        });
        response.body = build_zip("avatar/head.glb", &response.body);
    });
    let serving = serve_router(app).await;
    let target = vendor_target(&serving.url, sandbox_credentials(&sandbox));
    let (_, ended) = run_checks(&target, &run_options(), &sandbox_phone(&serving.url).await).await;
    for (id, expected) in
        [("files.content", Verdict::Pass), ("avatar.vertices", Verdict::Pass), ("avatar.blendshapes", Verdict::Fail)]
    {
        let (_, result) = ended.check_results.iter().find(|(check, _)| check.id == id).expect("a check");
        assert_eq!(result.verdict(), expected, "{id}: {:?}", result.findings_or_reason_sentences());
    }
}
