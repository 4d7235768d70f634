//! Responses with status 200 to a request for the rest of a file, which are not the whole file.

use super::backend::{Request, Response, glb, png};
use super::fixture::{Fixture, REDEEM_PATH, asked, interrupted, manifest, range_starts, saved, visit};

/// Longer than the overlap.
const SIZE: usize = 20_000;
const RECEIVED: usize = 10_000;

/// The first response breaks off; `next` answers the n-th request from the second one on.
async fn visit_continued_by(
    file: fn(usize) -> Vec<u8>,
    next: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
) -> (Fixture, copresence_engine::runner::VisitResult) {
    visit(if file(64).starts_with(b"glTF") { "glb" } else { "png" }, move |nth, ask| match nth {
        1 => Response::file(&file(SIZE)).breaking_at(RECEIVED),
        _ => next(nth, ask),
    })
    .await
}

/// A script that seeks and forgets the status. The URL is spent: it sends the whole file once.
#[tokio::test]
async fn the_rest_of_a_file_with_status_200_continues_it() {
    let odd: [fn(Response) -> Response; 3] =
        [|rest| rest, Response::chunked, |rest| rest.with_header("content-range", "bytes 5904-19999/20000")];
    for (case, odd) in odd.into_iter().enumerate() {
        for file in [glb, png] {
            let (fixture, ended) = visit_continued_by(file, move |_, ask| match ask.range_start() {
                0 => Response::status(410),
                from => odd(Response::file(&file(SIZE)[from..])),
            })
            .await;
            assert_eq!(
                saved(&ended, if file(64)[0] == b'g' { "avatar.glb" } else { "avatar.png" }),
                file(SIZE),
                "{case}"
            );
            assert_eq!(asked(&fixture).len(), 2, "{case}");
            let files = manifest(&ended.directory.expect("saved")).files;
            assert_eq!(files[0].notes[0].code, "joined_unverified", "{:?}", files[0].notes);
        }
    }
}

/// A length that no file has, and that overflows with the bytes before it.
#[tokio::test]
async fn an_absurd_length_of_the_rest_is_no_size_of_the_file() {
    let (_fixture, ended) = visit_continued_by(glb, |nth, ask| match nth {
        2 => Response::file(&glb(SIZE)[ask.range_start()..]).with_content_length(u64::MAX - 2),
        _ => Response::file(&glb(SIZE)),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(SIZE));
}

/// The end of the response is not that of the file, and the format does not show it.
#[tokio::test]
async fn the_rest_of_a_file_with_status_200_that_ends_early_is_continued() {
    let file = || (0..SIZE).map(|at| u8::try_from(at % 251).expect("a byte") | 0x80).collect::<Vec<u8>>();
    let (fixture, ended) = visit("custom", move |nth, ask| match nth {
        1 => Response::file(&file()).breaking_at(RECEIVED),
        2 => Response::file(&file()[ask.range_start()..SIZE - 1000]).chunked(),
        _ => Response::range_response(&file(), ask.range_start()),
    })
    .await;
    assert_eq!(saved(&ended, "avatar_custom.bin"), file());
    assert_eq!(asked(&fixture).len(), 3);
}

/// Too little is on the disk to recognise the rest.
#[tokio::test]
async fn a_200_to_a_range_request_that_begins_otherwise_is_followed_by_a_request_for_the_whole_file() {
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)).breaking_at(400),
        2 => Response::file(&glb(1000)[ask.range_start()..]),
        _ => Response::file(&glb(1000)),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(range_starts(&fixture), [0, 1, 0]);
}

/// A server that sends less than it announced before. Only a range brings the rest.
#[tokio::test]
async fn a_200_that_is_shorter_than_the_file_does_not_replace_its_bytes() {
    let (fixture, ended) = visit_continued_by(glb, |nth, ask| match nth {
        2 => Response::file(&glb(SIZE)[..5000]),
        _ if ask.range_start() == 0 => Response::status(410),
        _ => Response::range_response(&glb(SIZE), ask.range_start()),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(SIZE));
    assert_eq!(range_starts(&fixture), [0, 5904, 0, 5904], "it is continued where it was");
}

/// A portal's texts, without a word that errors have.
fn long_json() -> Vec<u8> {
    let texts: Vec<String> = (0..300).map(|line| format!("line {line}: log in to this network")).collect();
    serde_json::json!({"portal": "login", "texts": texts}).to_string().into_bytes()
}

#[tokio::test]
async fn a_long_text_does_not_replace_received_bytes_of_a_model() {
    for text in [long_json(), b"The network is being maintained. ".repeat(300)] {
        let (_fixture, ended) = visit_continued_by(glb, move |nth, ask| match nth {
            2..=4 => Response::file(&text),
            _ if ask.range_start() == 0 => Response::status(410),
            _ => Response::range_response(&glb(SIZE), ask.range_start()),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(SIZE));
    }
    let fixture = Fixture::with_one_file("glb", |nth, _| match nth {
        1 => Response::file(&glb(SIZE)).breaking_at(RECEIVED),
        _ => Response::file(&long_json()),
    })
    .await;
    // Long enough for the second request on a busy machine.
    let patience = std::time::Duration::from_secs(3);
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = patience).await;
    let why = interrupted(&fixture, &ended).await;
    assert!(why.contains("a text"), "{why}");
    let part =
        fixture.out_dir().join(format!(".{}.partial/avatar.glb.part", fixture.only_visit().await.visit.start.id));
    assert_eq!(std::fs::read(part).expect("kept"), glb(SIZE)[..RECEIVED]);
}

/// It is kept, because unknown content is, but only when nothing else comes.
#[tokio::test]
async fn a_long_text_in_place_of_a_model_is_requested_again() {
    let (_fixture, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(&long_json()),
        _ => Response::file(&glb(1000)),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    for spent in [false, true] {
        let (_fixture, ended) = visit("glb", move |nth, _| match nth {
            2.. if spent => Response::status(410),
            _ => Response::file(&long_json()),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), long_json());
        let files = manifest(&ended.directory.expect("saved")).files;
        let codes: Vec<&str> = files[0].notes.iter().map(|note| note.code.as_str()).collect();
        assert!(codes.contains(&"doubtful_content") && codes.contains(&"unknown_content"), "{codes:?}");
    }
}

#[tokio::test]
async fn a_text_in_a_text_format_is_no_sign_of_another_content() {
    let obj = || [b"# Wavefront OBJ\n".to_vec(), b"v 0.5 0.25 1\n".repeat(500)].concat();
    let fixture = Fixture::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM_PATH, _) => ask.ready_response(&[("obj", "one")]),
        ("/files/one", 1) => Response::file(&obj()).breaking_at(100),
        ("/files/one", _) => Response::file(&obj()),
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit().await;
    assert_eq!(saved(&ended, "avatar_obj.zip"), obj());
}
