//! Files that are encoded, longer than their content, or of an unexpected format: kept with a note, unless they are an
//! error page or truncated.

use super::backend::{Response, glb};
use super::fixture::{Fixture, REDEEM_PATH, file_names, manifest, range_starts, visit};
use copresence_engine::Outcome;
use copresence_engine::events::EventKind;
use copresence_engine::history::FileDownloadState;
use copresence_engine::runner::VisitResult;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::Write as _;

const CODING: &str = "content-encoding";

/// The saved bytes and the codes of their notes, which are the same in event, manifest and journal.
async fn saved(fixture: &Fixture, ended: &VisitResult) -> (Vec<u8>, Vec<String>) {
    assert_eq!(ended.outcome, Outcome::Saved);
    let directory = ended.directory.as_ref().expect("a folder");
    let file = &manifest(directory).files[0];
    let bytes = std::fs::read(directory.join(&file.path)).expect("saved");
    assert_eq!(
        (file.bytes, file.sha256),
        (bytes.len() as u64, copresence_store::Sha256Digest::sha256_of_bytes(&bytes))
    );
    let events = fixture.events();
    let in_event = events.iter().find_map(|event| match event {
        EventKind::Saved { files, .. } => Some(files[0].notes.clone()),
        _ => None,
    });
    assert_eq!(in_event.as_ref(), Some(&file.notes));
    let detail = fixture.only_visit().await;
    assert!(matches!(&detail.files[0].state, FileDownloadState::Complete { notes, .. } if *notes == file.notes));
    assert!(file.notes.iter().all(|note| !note.message.is_empty()));
    let names: Vec<_> = std::fs::read_dir(directory).expect("a folder").collect();
    assert_eq!(names.len(), 2, "the file and its manifest");
    (bytes, file.notes.iter().map(|note| note.code.clone()).collect())
}

fn missing_reason(ended: &VisitResult) -> String {
    assert_eq!(ended.outcome.exit_code(), 7, "{ended:?}");
    manifest(ended.directory.as_ref().expect("an incomplete folder")).missing[0].reason.clone()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("in memory");
    encoder.finish().expect("in memory")
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("in memory");
    encoder.finish().expect("in memory")
}

#[tokio::test]
async fn file_with_content_encoding_gzip_is_saved_decoded_with_a_note() {
    for (coding, encoded) in [
        ("gzip", gzip(&glb(50_000))),
        ("X-GZIP", gzip(&glb(50_000))),
        ("deflate", deflate(&glb(50_000))),
        ("deflate, gzip", gzip(&deflate(&glb(50_000)))),
    ] {
        let (fixture, ended) = visit("glb", move |_, _| Response::file(&encoded).with_header(CODING, coding)).await;
        let (bytes, notes) = saved(&fixture, &ended).await;
        assert!(bytes == glb(50_000), "{coding}");
        assert_eq!(notes, ["content_encoding_removed"], "{coding}");
    }
}

/// Every byte of the content arrived; only the last bytes of the encoding are missing.
#[tokio::test]
async fn a_model_whose_gzip_stream_lacks_only_its_trailer_is_saved() {
    let encoded = || gzip(&glb(50_000));
    for missing in [3, 8] {
        // The server sends no more, or the connection breaks and the URL is spent.
        for breaks in [false, true] {
            let (fixture, ended) = visit("glb", move |nth, _| {
                let end = encoded().len() - missing;
                match nth {
                    1 if breaks => Response::file(&encoded()).with_header(CODING, "gzip").breaking_at(end),
                    1 => Response::file(&encoded()[..end]).with_header(CODING, "gzip"),
                    _ => Response::status(410),
                }
            })
            .await;
            let (bytes, notes) = saved(&fixture, &ended).await;
            assert!(bytes == glb(50_000), "{missing} {breaks}");
            assert_eq!(notes, ["content_encoding_removed"], "{missing} {breaks}");
        }
    }
    // Bytes of the content itself are missing.
    let (_fixture, ended) = visit("glb", move |nth, _| match nth {
        1 => Response::file(&gzip(&glb(50_000)[..49_000])[..]).with_header(CODING, "gzip"),
        2 => Response::file(&encoded()[..encoded().len() - 30]).with_header(CODING, "gzip"),
        _ => Response::status(410),
    })
    .await;
    missing_reason(&ended);
}

#[tokio::test]
async fn an_interrupted_encoded_file_resumes_at_its_encoded_offset() {
    let encoded = gzip(&glb(50_000));
    let (first, total) = (encoded.len() / 2, encoded.len());
    let (fixture, ended) = visit("glb", move |nth, ask| match nth {
        1 => Response::file(&encoded).with_header("etag", "\"1\"").with_header(CODING, "gzip").breaking_at(first),
        // A range need not repeat the encoding.
        _ => Response::range_response(&encoded, ask.range_start()).with_header("etag", "\"1\""),
    })
    .await;
    let (bytes, notes) = saved(&fixture, &ended).await;
    assert!(bytes == glb(50_000) && notes == ["content_encoding_removed"]);
    assert_eq!(range_starts(&fixture), [0, first]);
    let totals: Vec<_> = fixture
        .events()
        .into_iter()
        .filter_map(|event| match event {
            EventKind::Progress { total, .. } => total,
            _ => None,
        })
        .collect();
    assert!(totals.iter().all(|of| [total as u64, 50_000].contains(of)), "{totals:?}");
}

#[tokio::test]
async fn a_range_with_another_content_encoding_restarts_the_file() {
    let encoded = gzip(&glb(50_000));
    let length = encoded.len();
    let (fixture, ended) = visit("glb", move |nth, ask| match nth {
        1 => Response::file(&glb(50_000)).breaking_at(length / 2),
        2 => Response::file(&encoded[ask.range_start()..])
            .with_content_range(ask.range_start(), 50_000)
            .with_header(CODING, "gzip"),
        _ => Response::file(&encoded).with_header(CODING, "gzip"),
    })
    .await;
    assert!(saved(&fixture, &ended).await.0 == glb(50_000));
}

#[tokio::test]
async fn content_encoding_aws_chunked_utf_8_base64_none_over_plain_bytes_is_ignored_with_a_note() {
    for coding in ["aws-chunked", "UTF-8", "base64", "none", "gzip", "deflate", "br", "zstd", "gzip, br"] {
        let (fixture, ended) = visit("glb", move |_, _| Response::file(&glb(1000)).with_header(CODING, coding)).await;
        let (bytes, notes) = saved(&fixture, &ended).await;
        assert!(bytes == glb(1000), "{coding}");
        assert_eq!(notes, ["content_encoding_ignored"], "{coding}");
    }
    // It starts as gzip, and nothing of it can be decoded.
    let odd = [b"\x1f\x8b\x08\xff".as_slice(), &vec![0xff; 90_000]].concat();
    let body = odd.clone();
    let (fixture, ended) = visit("glb", move |_, _| Response::file(&body).with_header(CODING, "gzip")).await;
    let (bytes, notes) = saved(&fixture, &ended).await;
    assert!(bytes == odd);
    assert_eq!(notes, ["content_encoding_ignored", "unknown_content"]);
    let (fixture, ended) =
        visit("glb", |_, _| Response::file(&gzip(&glb(1000))).with_header(CODING, "gzip,aws-chunked")).await;
    let (bytes, notes) = saved(&fixture, &ended).await;
    assert!(bytes == glb(1000));
    assert_eq!(notes, ["content_encoding_removed", "content_encoding_ignored"]);
}

/// The simulation found this: the rest was written over the bytes that had been read to find their content encoding.
#[tokio::test]
async fn the_rest_of_a_file_without_its_stated_content_encoding_is_written_behind_its_start() {
    let varied = (0..1500_u32).map(|at| at.to_le_bytes()[0] | 0x80).collect::<Vec<u8>>();
    let fbx = [b"Kaydara FBX Binary  \0\x1a\0".to_vec(), varied].concat();
    for encoding in ["none", "gzip", "br"] {
        let sent = fbx.clone();
        let (fixture, ended) = visit("fbx", move |nth, ask| match nth {
            1 => Response::file(&sent).with_header(CODING, encoding).breaking_at(686),
            _ => Response::range_response(&sent, ask.range_start()).with_header(CODING, encoding),
        })
        .await;
        assert!(saved(&fixture, &ended).await.0 == fbx, "{encoding}");
        assert_eq!(range_starts(&fixture), [0, 1], "{encoding}");
    }
}

#[tokio::test]
async fn glb_with_bytes_after_its_stated_end_is_saved_whole_with_a_note() {
    let longer = [glb(1000), b"\n\n".to_vec()].concat();
    let body = longer.clone();
    let (fixture, ended) = visit("glb", move |_, _| Response::file(&body)).await;
    assert_eq!(saved(&fixture, &ended).await, (longer, vec!["trailing_bytes".to_owned()]));
}

#[tokio::test]
async fn ascii_fbx_without_a_comment_and_unknown_content_are_saved_with_a_note() {
    let fbx = b"FBXHeaderExtension:  {\n\tFBXHeaderVersion: 1003\n}\n".repeat(20);
    for (export_type, content) in [("fbx", fbx), ("png", glb(500)), ("glb", vec![0; 9000])] {
        let body = content.clone();
        let (fixture, ended) = visit(export_type, move |_, _| Response::file(&body)).await;
        assert_eq!(saved(&fixture, &ended).await, (content, vec!["unknown_content".to_owned()]));
    }
}

#[tokio::test]
async fn an_encoded_error_page_a_truncated_encoding_and_a_bomb_are_requested_again() {
    let page = gzip(b"<!doctype html><title>Sorry</title>");
    let cut = gzip(&glb(50_000));
    let cut = cut[..cut.len() / 2].to_vec();
    let bomb = gzip(&vec![0; 50 << 20]);
    for (body, reason) in
        [(page, "an HTML page instead of glb"), (cut, "was cut short"), (bomb, "larger than the limit of 100000 bytes")]
    {
        let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
            REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
            "/files/one" => Response::file(&body).with_header(CODING, "gzip"),
            _ => Response::default(),
        })
        .await;
        let patience = std::time::Duration::from_millis(300);
        let ended = fixture.run_visit_with_limits(|limits| limits.patience = patience).await;
        assert_eq!((ended.outcome.exit_code(), ended.outcome.error_code()), (6, "download_interrupted"));
        let why = ended.outcome.detail_for_operator().expect("why");
        assert!(why.contains(reason), "{why}");
        let folder = fixture.out_dir().join(&file_names(&fixture.out_dir())[0]);
        assert!(file_names(&folder).iter().all(|name| !name.ends_with(".decoded")));
    }
}

/// Case U2: a damaged encoding is requested again, and kept with a note only if the server has nothing else.
#[tokio::test]
async fn a_damaged_encoding_is_saved_only_if_the_server_has_nothing_else() {
    let mut damaged = gzip(&glb(50_000));
    let at = damaged.len() - 8;
    damaged[at] ^= 1;
    for second in ["whole", "same", "refused"] {
        let body = damaged.clone();
        let (fixture, ended) = visit("glb", move |nth, _| match (nth, second) {
            (2.., "whole") => Response::file(&gzip(&glb(50_000))).with_header(CODING, "gzip"),
            (2.., "refused") => Response::status(403),
            _ => Response::file(&body).with_header(CODING, "gzip"),
        })
        .await;
        let (bytes, notes) = saved(&fixture, &ended).await;
        let requests = fixture.backend.count_requests("/files/one");
        // One refusal proves nothing.
        assert!(if second == "refused" { requests > 3 } else { requests == 2 }, "{second}: {requests}");
        if second == "whole" {
            assert!(bytes == glb(50_000) && notes == ["content_encoding_removed"]);
        } else {
            assert!(bytes == damaged && notes[0] == "content_encoding_ignored", "{second}: {notes:?}");
        }
    }
}

/// Case U2: the rest of a file without its encoding is not the rest of the encoded file.
#[tokio::test]
async fn an_encoded_beginning_is_not_joined_to_a_rest_without_encoding() {
    let encoded = gzip(&glb(50_000));
    let (fixture, ended) = visit("glb", move |nth, ask| match nth {
        1 => Response::file(&encoded).with_header(CODING, "gzip").chunked().breaking_at(300),
        _ if ask.range_start() > 0 => Response::range_response(&glb(50_000), ask.range_start()),
        _ => Response::file(&glb(50_000)),
    })
    .await;
    let (bytes, notes) = saved(&fixture, &ended).await;
    assert!(bytes == glb(50_000) && notes.is_empty(), "{notes:?}");
}

#[tokio::test]
async fn file_host_that_answers_403_with_a_reason_is_named_with_it_in_manifest_and_history() {
    let body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    let (fixture, ended) = visit("glb", move |_, _| Response::file(body.as_bytes()).with_status(403)).await;
    let host = format!("127.0.0.1:{}", fixture.backend.url.port().expect("a port"));
    let why = missing_reason(&ended);
    assert!(why.contains("AccessDenied: Request has expired") && why.contains("the URL has expired"), "{why}");
    assert!(why.contains(&host), "{why}");
    let detail = fixture.only_visit().await;
    let FileDownloadState::Failed { why: journalled, .. } = &detail.files[0].state else {
        panic!("{:?}", detail.files[0])
    };
    assert_eq!(*journalled, why);
}
