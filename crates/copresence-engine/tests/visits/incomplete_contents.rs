//! Responses whose content is not the whole file: error pages, truncated bodies, and content that cannot be checked.

use super::backend::{Response, glb, html_page, png};
use super::fixture::{ETAG, asked, file_names, impatient_visit, interrupted, manifest, range_starts, saved, visit};
use copresence_engine::Outcome;
use copresence_engine::runner::VisitResult;

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
        assert_eq!(range_starts(&fixture), [0, 400, 400], "{case}");
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
                2 if refuses => Response::status(404),
                _ => Response::file(&only),
            })
            .await;
            assert_eq!(saved(&ended, name), *first, "{kind} {refuses}");
            assert_eq!(asked(&fixture).len(), 2);
            let notes = manifest(&ended.directory.expect("saved")).files[0].notes.clone();
            assert!(notes.iter().any(|note| note.code == "doubtful_content"), "{notes:?}");
        }
    }
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
