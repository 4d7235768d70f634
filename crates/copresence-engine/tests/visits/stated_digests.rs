//! Digests that the file server states: bytes with another one are requested again, and never lost by it.

use super::backend::{Request, Response, glb};
use super::fixture::{manifest, visit};
use copresence_engine::Outcome;
use copresence_store::Sha256Digest;

/// Content of a format without an end that could be checked.
fn file() -> Vec<u8> {
    (0..9000_u32).map(|at| u8::try_from(at % 251).expect("a byte")).collect()
}

/// The same with a wrong byte.
fn damaged() -> Vec<u8> {
    let mut bytes = file();
    bytes[500] ^= 1;
    bytes
}

/// A response with the digest of [`file`].
fn with_digest(response: Response) -> Response {
    let digest = Sha256Digest::sha256_of_bytes(&file());
    let digest = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest.as_bytes());
    response.with_header("repr-digest", format!("sha-256=:{digest}:"))
}

/// Saves a file that is answered by a script. Returns its content, its notes, and the number of requests.
async fn save(answer: impl Fn(usize, &Request) -> Response + Send + Sync + 'static) -> (Vec<u8>, Vec<String>, usize) {
    let (fixture, ended) = visit("blendshapes", answer).await;
    assert_eq!(ended.outcome, Outcome::Saved);
    let directory = ended.directory.expect("a folder");
    let saved = &manifest(&directory).files[0];
    let codes = saved.notes.iter().map(|note| note.code.clone()).filter(|code| code.contains("digest")).collect();
    (std::fs::read(directory.join(&saved.path)).expect("saved"), codes, fixture.backend.count_requests("/files/one"))
}

#[tokio::test]
async fn bytes_with_the_stated_digest_are_requested_once() {
    let (saved, notes, requests) = save(|_, _| with_digest(Response::file(&file()))).await;
    assert_eq!((saved == file(), notes.len(), requests), (true, 0, 1));
}

#[tokio::test]
async fn bytes_with_another_digest_are_requested_again() {
    let (saved, notes, requests) = save(|nth, _| {
        let bytes = if nth == 1 { damaged() } else { file() };
        with_digest(Response::file(&bytes))
    })
    .await;
    assert_eq!((saved == file(), notes.len(), requests), (true, 0, 2));
}

/// The structure of a format with an end is whole, so a second request that fails must not make the damaged bytes count.
#[tokio::test]
async fn a_damaged_glb_is_requested_until_its_bytes_come() {
    let (fixture, ended) = visit("glb", move |nth, _| {
        if nth == 2 {
            return Response::no_response();
        }
        let digest = Sha256Digest::sha256_of_bytes(&glb(5000));
        let digest = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest.as_bytes());
        let mut bytes = glb(5000);
        if nth == 1 {
            *bytes.last_mut().expect("a byte") ^= 1;
        }
        Response::file(&bytes).with_header("repr-digest", format!("sha-256=:{digest}:"))
    })
    .await;
    assert_eq!(ended.outcome, Outcome::Saved);
    let directory = ended.directory.expect("a folder");
    let saved = &manifest(&directory).files[0];
    assert!(std::fs::read(directory.join(&saved.path)).expect("saved") == glb(5000), "{saved:?}");
    assert_eq!(fixture.backend.count_requests("/files/one"), 3);
}

#[tokio::test]
async fn a_file_whose_server_states_a_wrong_digest_is_saved_with_a_note() {
    // The server sends the same again, another file each time, or refuses the URL that is spent now.
    for case in 0..3 {
        let (saved, notes, _) = save(move |nth, _| match (case, nth) {
            (2, 2..) => Response::status(403),
            (1, _) => {
                let mut bytes = damaged();
                bytes[6000] = u8::try_from(nth).expect("few");
                with_digest(Response::file(&bytes))
            }
            _ => with_digest(Response::file(&damaged())),
        })
        .await;
        assert_eq!(saved.len(), file().len(), "{case}");
        assert_eq!(notes, ["digest_mismatch"], "{case}");
    }
}

/// The second response breaks off, and the URL is spent.
#[tokio::test]
async fn bytes_with_another_digest_are_kept_until_another_response_is_complete() {
    let (saved, notes, _) = save(|nth, _| match nth {
        1 => with_digest(Response::file(&damaged())),
        2 => with_digest(Response::file(&file())).breaking_at(5000),
        _ => Response::status(410),
    })
    .await;
    assert_eq!((saved == damaged(), notes), (true, vec!["digest_mismatch".to_owned()]));
}

#[tokio::test]
async fn a_joined_file_is_compared_with_the_digest_of_the_whole_file() {
    let (saved, notes, requests) = save(|nth, ask| {
        with_digest(match (nth, ask.range_start()) {
            (1, _) => Response::file(&damaged()[..]).breaking_at(8999),
            (_, 0) => Response::file(&file()),
            (_, from) => Response::range_response(&file(), from),
        })
        .with_header("etag", "\"1\"")
    })
    .await;
    assert_eq!((saved == file(), notes.len(), requests), (true, 0, 3));
}
