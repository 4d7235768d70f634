//! Responses whose content is not the whole file: error pages, truncated bodies, and content that cannot be checked.

use super::backend::{Response, glb, html_page, png};
use super::earlier_visits::recover_fixture_visits;
use super::fixture::{
    ETAG, Fixture, REDEEM_PATH, asked, file_names, impatient_visit, incomplete, interrupted, manifest, range_starts,
    saved, visit,
};
use copresence_engine::Outcome;
use copresence_engine::recovery::RecoveryOutcome;
use copresence_engine::runner::VisitResult;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Cases L6 and L9: content that is not the whole file proves nothing about the next response.
#[tokio::test]
async fn content_that_is_not_the_whole_file_is_requested_again() {
    let short = |bytes: usize| glb(1000)[..bytes].to_vec();
    let cases: [(&str, Vec<u8>, Vec<u8>); 4] = [
        ("glb", b"{\"code\":101,\"error\":\"gone\"}".to_vec(), glb(1000)),
        ("glb", short(600), glb(1000)),
        ("glb", Vec::new(), glb(1000)),
        ("png", png(500)[..400].to_vec(), png(500)),
    ];
    for (export_type, body, whole) in cases {
        let file = whole.clone();
        let (fixture, ended) = visit(export_type, move |nth, _| match nth {
            1 => Response::file(&body),
            _ => Response::file(&file),
        })
        .await;
        assert_eq!(saved(&ended, &format!("avatar.{export_type}")), whole);
        assert_eq!(asked(&fixture).len(), 2);
    }
    let (fixture, ended) = impatient_visit(move |_, _| Response::file(&short(600))).await;
    let why = interrupted(&fixture, &ended).await;
    assert!(why.contains("header states 1000 bytes, but only 600"), "{why}");
}

/// Cases L9: pages that arrive in pieces, encoded, or under another name.
#[tokio::test]
async fn received_bytes_are_kept_until_the_file_itself_is_sent() {
    let pages: [fn() -> Response; 8] = [
        || html_page().gzipped(),
        || html_page().sent_slowly(),
        || Response::file(b"<!-- portal -->\n<script>location='http://login/'</script>"),
        || Response::file(b"{\"error\":\"busy\"}"),
        || Response::file(b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>"),
        || Response::file(b"upstream connect error"),
        || Response::file(b""),
        || Response::file(b"\xff\xfe<\0h\0t\0m\0l\0>\0"),
    ];
    for (case, page) in pages.into_iter().enumerate() {
        let (fixture, ended) = visit("glb", move |nth, ask| match nth {
            1 => Response::file(&glb(1000)).breaking_at(400),
            2 => page(),
            _ if ask.range_start() == 0 => Response::status(403),
            _ => Response::range_response(&glb(1000), ask.range_start()),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{case}");
        assert_eq!(range_starts(&fixture), [0, 1, 1], "{case}");
    }
}

#[tokio::test]
async fn an_html_page_in_place_of_a_file_is_not_the_file_and_loses_no_received_byte() {
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 | 3 => html_page(),
        2 => Response::file(&glb(1000)).with_header(ETAG, "\"1\"").breaking_at(400),
        _ => Response::range_response(&glb(1000), ask.range_start()).with_header(ETAG, "\"1\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(range_starts(&fixture), [0, 0, 400, 400], "the page does not replace the bytes received before");
}

#[tokio::test]
async fn an_html_page_that_stays_ends_the_visit_for_now() {
    let (fixture, ended) = impatient_visit(|_, _| html_page()).await;
    let why = interrupted(&fixture, &ended).await;
    assert!(why.contains("HTML page") && why.contains("login"), "{why}");
}

/// The last chunk is missing, the server announced too much, or the URL is spent: the file states its own length.
#[tokio::test]
async fn a_file_that_states_its_end_is_whole_however_the_response_ended() {
    // Bytes that were stated and did not come are requested once more.
    for (states_more, requests) in [(false, 1), (true, 2)] {
        let ending = move |response: Response| {
            if states_more { response.with_content_length(1002) } else { response.chunked().breaking_at(1000) }
        };
        let (fixture, ended) = visit("glb", move |nth, _| match nth {
            1 => ending(Response::file(&glb(1000))),
            _ => Response::status(403),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
        assert_eq!(asked(&fixture).len(), requests);
    }
}

/// A proxy keeps the response open.
#[tokio::test]
async fn a_file_that_states_its_end_is_used_a_second_later_although_its_response_does_not_end() {
    let mut fixture =
        Fixture::with_one_file("glb", |_, _| Response::file(&glb(1000)).chunked().stalling_at(1000)).await;
    fixture.profile.timeouts.read = Duration::from_hours(1);
    fixture.profile.limits.patience = Duration::from_hours(1);
    let ended = tokio::time::timeout(Duration::from_mins(2), fixture.run_visit()).await.expect("no end is awaited");
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(asked(&fixture).len(), 1);
}

/// A zip archive with one stored entry of this content.
fn zip_archive(content: &[u8]) -> Vec<u8> {
    let mut archive = [b"PK\x03\x04".as_slice(), content].concat();
    let (directory, offset) = (b"PK\x01\x02directory".as_slice(), archive.len());
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    for number in [directory.len(), offset] {
        archive.extend(u32::try_from(number).expect("small").to_le_bytes());
    }
    archive.extend([0; 2]);
    archive
}

/// The connection breaks behind a whole archive within the archive, or behind what looks like the last block of a Blender
/// file.
#[tokio::test]
async fn an_archive_within_the_file_does_not_make_it_whole() {
    let inner = zip_archive(&[7; 6000]);
    let zip = zip_archive(&[inner.as_slice(), &[8; 500]].concat());
    let blend = [b"BLENDER-v403".as_slice(), &[7; 6000], b"..ENDB..", &[8; 500], b"ENDB", &[0; 20]].concat();
    for (kind, name, whole, cut) in
        [("zip", "avatar.zip", zip, b"PK\x03\x04".len() + inner.len()), ("blend", "avatar.blend", blend, 6100)]
    {
        for states_length in [false, true] {
            let file = whole.clone();
            let (fixture, ended) = visit(kind, move |nth, ask| match nth {
                1 if states_length => Response::file(&file).breaking_at(cut),
                1 => Response::file(&file).chunked().breaking_at(cut),
                2 => Response::status(404),
                _ if ask.range_start() > 0 => Response::range_response(&file, ask.range_start()),
                _ => Response::file(&file),
            })
            .await;
            assert!(saved(&ended, name) == whole, "{kind} {states_length}");
            assert!(asked(&fixture).len() > 2);
        }
        // What ends where it says is whole.
        let file = whole.clone();
        let (fixture, ended) = visit(kind, move |_, _| Response::file(&file).chunked().breaking_at(file.len())).await;
        assert!(saved(&ended, name) == whole, "{kind}");
        assert_eq!(asked(&fixture).len(), 1);
    }
}

/// Files beside an avatar whose first element has a name that begins like one of HTML.
#[tokio::test]
async fn an_xml_file_whose_root_begins_like_an_html_element_is_saved() {
    let files: [&[u8]; 4] = [
        b"<bodyMeasurements unit=\"cm\"><chest>98</chest></bodyMeasurements>",
        b"<headRig version=\"2\"><bone/></headRig>",
        b"<?xml version=\"1.0\"?><htmlLabel/>",
        b"<head version=\"2\"><bone/></head>",
    ];
    for file in files {
        for is_spent in [false, true] {
            let (_fixture, ended) = visit("measurements", move |nth, _| match nth {
                2.. if is_spent => Response::status(410),
                _ => Response::file(file),
            })
            .await;
            assert_eq!(saved(&ended, "avatar_measurements.bin"), file, "{is_spent}");
        }
    }
}

/// A response that ends early, or is a message, and looks whole on the wire.
#[tokio::test]
async fn doubtful_content_is_requested_again_and_kept_if_the_server_has_nothing_else() {
    let jpeg = [b"\xff\xd8\xff\xda\0\x04..".as_slice(), &[7; 500], b"\xff\xd9"].concat();
    let cut = jpeg[..300].to_vec();
    let message = b"Service temporarily unavailable, please retry".to_vec();
    for (kind, name, first, whole) in
        [("jpg", "avatar.jpg", &cut, &jpeg), ("fbx", "avatar_fbx.zip", &message, &glb(1000))]
    {
        let (start, rest) = (first.clone(), whole.clone());
        let (fixture, ended) = visit(kind, move |nth, _| Response::file(if nth == 1 { &start } else { &rest })).await;
        assert_eq!(saved(&ended, name), *whole, "{kind} {:?}", file_names(ended.directory.as_ref().expect("saved")));
        assert_eq!(asked(&fixture).len(), 2);
        for refuses in [false, true] {
            let only = first.clone();
            let (fixture, ended) = visit(kind, move |nth, _| match nth {
                2.. if refuses => Response::status(404),
                _ => Response::file(&only),
            })
            .await;
            assert_eq!(saved(&ended, name), *first, "{kind} {refuses}");
            assert!(refuses || asked(&fixture).len() == 2);
            let notes = manifest(&ended.directory.expect("saved")).files[0].notes.clone();
            assert!(notes.iter().any(|note| note.code == "doubtful_content"), "{notes:?}");
        }
    }
}

/// What something in between sends for some seconds in place of a model that may be a text.
#[tokio::test]
async fn a_text_of_another_kind_in_place_of_a_model_is_requested_again() {
    let notice = b"<div class=\"block\">This site is blocked by the policy of your company.</div>".repeat(12);
    let texts: [&[u8]; 3] =
        [b"{\"status\":\"pending\",\"retry_in\":5}", b"<?xml version=\"1.0\"?><response status=\"fail\"/>", &notice];
    let fbx = b"Kaydara FBX Binary  \0\x1a\0 and more".to_vec();
    for text in texts.map(<[u8]>::to_vec) {
        for (kind, name, model) in [
            ("fbx", "avatar_fbx.zip", fbx.as_slice()),
            ("obj", "avatar_obj.zip", b"v 0 0 0\n"),
            ("usd", "avatar.usd", b"#usda 1.0\n"),
        ] {
            let (first, model) = (text.clone(), model.to_vec());
            let file = model.clone();
            let (fixture, ended) =
                visit(kind, move |nth, _| Response::file(if nth == 1 { &first } else { &file })).await;
            assert_eq!(saved(&ended, name), model, "{}", String::from_utf8_lossy(&text));
            assert_eq!(asked(&fixture).len(), 2);
        }
        // It is all that the server has.
        for refuses in [false, true] {
            let only = text.clone();
            let (_fixture, ended) = visit("fbx", move |nth, _| match nth {
                2.. if refuses => Response::status(410),
                _ => Response::file(&only),
            })
            .await;
            assert_eq!(saved(&ended, "avatar_fbx.zip"), text, "{refuses}");
            let notes = manifest(&ended.directory.expect("saved")).files[0].notes.clone();
            assert!(notes.iter().any(|note| note.code == "doubtful_content"), "{notes:?}");
        }
    }
    for (kind, name, text) in
        [("obj", "avatar_obj.zip", b"v 0 0 0\n".to_vec()), ("mesh", "avatar_mesh.bin", notice.clone())]
    {
        let file = text.clone();
        let (fixture, ended) = visit(kind, move |_, _| Response::file(&file)).await;
        assert_eq!((saved(&ended, name), asked(&fixture).len()), (text, 1), "{kind}");
    }
}

/// Something in between sent a message and a page, as while a server restarts.
#[tokio::test]
async fn one_refusal_after_doubtful_content_does_not_make_it_the_file() {
    let (fixture, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(b"Service temporarily unavailable, please retry"),
        2 => Response::status(404),
        _ => Response::file(&glb(1000)),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(asked(&fixture).len(), 3);
}

/// Without an end marker, so that it may have been cut short: as some cameras write it, here with other bytes each time.
fn endless_jpeg(pixel: u8) -> Vec<u8> {
    let mut file = b"\xff\xd8\xff\xda\0\x04..".to_vec();
    file.resize(60_000, pixel);
    file
}

/// The second response is the confirmation, and breaks off; the URL is spent then.
#[tokio::test]
async fn doubted_bytes_are_kept_until_another_response_has_arrived_completely() {
    for (second, breaks_at, is_gzipped) in [(7, 30_000, false), (8, 30_000, false), (8, 0, false), (8, 60, true)] {
        let file = move |pixel| match Response::file(&endless_jpeg(pixel)) {
            file if is_gzipped => file.gzipped(),
            file => file,
        };
        let (fixture, ended) = visit("jpg", move |nth, ask| match nth {
            1 => file(7),
            2 => file(second).breaking_at(breaks_at),
            _ => Response::status(if ask.range_start() == 0 { 410 } else { 403 }),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.jpg"), endless_jpeg(7), "{second} {breaks_at}");
        let folder = ended.directory.expect("saved");
        assert_eq!(file_names(&folder), ["avatar.jpg", "manifest.json"]);
        let codes: Vec<String> = manifest(&folder).files[0].notes.iter().map(|note| note.code.clone()).collect();
        let expected = ["content_encoding_removed", "doubtful_content"];
        assert_eq!(codes, expected[usize::from(!is_gzipped)..]);
        assert!(asked(&fixture).len() > 3);
    }
    // It is continued where it broke off, and is the file.
    let (_fixture, ended) = visit("jpg", |nth, ask| match nth {
        1 => Response::file(&endless_jpeg(7)),
        2 => Response::file(&endless_jpeg(8)).breaking_at(30_000),
        _ => Response::range_response(&[endless_jpeg(8).as_slice(), b"\xff\xd9"].concat(), ask.range_start()),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.jpg"), [endless_jpeg(8).as_slice(), b"\xff\xd9"].concat());
    assert_eq!(file_names(&ended.directory.expect("saved")), ["avatar.jpg", "manifest.json"]);
}

/// The program is killed while a file in doubt is requested again, and the URL is spent then.
#[tokio::test]
async fn a_later_run_finds_doubted_bytes_on_the_disk() {
    let is_killed = Arc::new(AtomicBool::new(false));
    let killed = is_killed.clone();
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("jpg", "one")]),
        ("/files/one", 1) => Response::file(&endless_jpeg(7)),
        ("/files/one", 2) => Response::file(&endless_jpeg(8)).breaking_at(30_000),
        ("/files/one", _) => Response::status(if killed.load(Ordering::SeqCst) { 410 } else { 503 }),
        _ => Response::default(),
    })
    .await;
    let (visit, _) = fixture.spawn_visit().await;
    fixture.backend.wait_for_requests("/files/one", 3).await;
    visit.abort();
    assert!(visit.await.is_err_and(|error| error.is_cancelled()), "as a crash would");
    is_killed.store(true, Ordering::SeqCst);
    let all = recover_fixture_visits(&fixture).await;
    let RecoveryOutcome::Finished { outcome: Outcome::Saved, directory: Some(directory) } = &all[0].outcome else {
        panic!("{all:?}")
    };
    assert_eq!(std::fs::read(directory.join("avatar.jpg")).expect("saved"), endless_jpeg(7));
    let codes: Vec<String> = manifest(directory).files[0].notes.iter().map(|note| note.code.clone()).collect();
    assert_eq!(codes, ["earlier_response", "doubtful_content"]);
}

/// A message in place of a model, and then the beginning of the model itself: the message is not the file.
#[tokio::test]
async fn a_message_is_not_restored_where_a_part_of_the_file_itself_was_received() {
    let (fixture, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(&b"The network is being maintained. ".repeat(300)),
        2 => Response::file(&glb(20_000)).breaking_at(8000),
        _ => Response::status(410),
    })
    .await;
    let (directory, why) = incomplete(&fixture, &ended);
    assert_eq!(std::fs::read(directory.join("avatar.glb.part")).expect("kept"), glb(20_000)[..8000]);
    assert!(why.contains("410"), "{why}");
}

/// Cases U1 and U8.
#[tokio::test]
async fn a_file_whose_completeness_could_not_be_checked_has_a_note() {
    let fbx = b"Kaydara FBX Binary  \0\x1a\0 and more";
    let notes = |ended: &VisitResult| {
        assert_eq!(ended.outcome, Outcome::Saved);
        let manifest = manifest(ended.directory.as_ref().expect("a folder"));
        manifest.files[0].notes.iter().map(|note| note.code.clone()).collect::<Vec<_>>()
    };
    let (_fixture, ended) = visit("fbx", |_, _| Response::file(fbx).without_length()).await;
    assert_eq!(notes(&ended), ["length_unknown"]);
    let (_fixture, ended) = visit("fbx", |_, _| Response::file(fbx).chunked()).await;
    assert!(notes(&ended).is_empty(), "chunks have an end");
    let (_fixture, ended) = visit("glb", |_, _| Response::file(&glb(1000)).without_length()).await;
    assert!(notes(&ended).is_empty(), "a GLB states its length");
    for etag in ["\"1\"", ""] {
        let (_fixture, ended) = visit("glb", move |nth, ask| match nth {
            1 => Response::file(&glb(1000)).with_header(ETAG, etag).breaking_at(400),
            _ => Response::range_response(&glb(1000), ask.range_start()),
        })
        .await;
        assert_eq!(notes(&ended), ["joined_unverified"]);
    }
}
