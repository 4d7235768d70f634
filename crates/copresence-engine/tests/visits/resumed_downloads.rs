//! Downloads that break off: resumed by range, or restarted where that fails.

use super::backend::{Response, glb};
use super::earlier_visits::recover_fixture_visits;
use super::fixture::{ETAG, Fixture, asked, manifest, range_starts, saved, visit};
use copresence_engine::Outcome;
use copresence_store::FileDownloadState;
use std::time::Duration;

#[tokio::test]
async fn an_interrupted_download_resumes_at_its_offset() {
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)).with_header(ETAG, "\"1\"").breaking_at(400),
        2 => Response::range_response(&glb(1000), ask.range_start()).with_header(ETAG, "\"1\"").breaking_at(300),
        _ => Response::range_response(&glb(1000), ask.range_start()).with_header(ETAG, "\"1\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(range_starts(&fixture), [0, 400, 700]);
    let asked = asked(&fixture);
    assert_eq!(asked[1].header("if-range"), Some("\"1\""));
    assert!(asked.iter().all(|ask| ask.header("x-copresence-rest-api-key").is_none()));
    assert!(fixture.event_names().contains(&"retrying"), "a stalled download is told");
}

/// The simulation found this: the structure of the file says that it is whole, and the server has more of it.
#[tokio::test]
async fn a_break_at_the_end_of_a_model_loses_no_bytes_behind_it() {
    let sent = [glb(1000), b"ten bytes.".to_vec()].concat();
    let (fixture, ended) = visit("glb", |nth, ask| {
        let sent = [glb(1000), b"ten bytes.".to_vec()].concat();
        match nth {
            1 => Response::file(&sent).with_header(ETAG, "\"1\"").breaking_at(1000),
            _ => Response::range_response(&sent, ask.range_start()).with_header(ETAG, "\"1\""),
        }
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), sent);
    assert_eq!(asked(&fixture).len(), 2);
}

#[tokio::test]
async fn a_server_that_ignores_the_range_restarts_the_file() {
    let (fixture, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(&glb(1000)).breaking_at(400),
        _ => Response::file(&glb(1000)),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(asked(&fixture).len(), 2);
}

#[tokio::test]
async fn two_versions_of_a_file_are_never_combined() {
    // An honest server: `If-Range` does not match, so the new version comes whole.
    let new = || {
        let mut file = glb(1000);
        file[500..].fill(7);
        file
    };
    let (_house, ended) = visit("glb", move |nth, _| match nth {
        1 => Response::file(&glb(1000)).with_header(ETAG, "\"1\"").breaking_at(400),
        _ => Response::file(&new()).with_header(ETAG, "\"2\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), new());
    // One that knows no `If-Range`: the rest that it sends is another file's.
    let (fixture, ended) = visit("glb", move |nth, ask| match nth {
        1 => Response::file(&glb(1000)).with_header(ETAG, "\"1\"").breaking_at(400),
        2 => Response::range_response(&new(), ask.range_start()).with_header(ETAG, "\"2\""),
        _ => Response::file(&new()).with_header(ETAG, "\"2\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), new());
    assert_eq!(range_starts(&fixture), [0, 400, 0]);
}

/// Without a validator, and with few bytes on the disk.
#[tokio::test]
async fn two_versions_without_a_validator_are_not_combined_although_few_bytes_were_received() {
    let new = || {
        let mut file = glb(1000);
        file[20..].fill(7);
        file
    };
    for etag in [None, Some("W/\"1\"")] {
        let tagged = move |response: Response| match etag {
            Some(etag) => response.with_header(ETAG, etag),
            None => response,
        };
        let (_fixture, ended) = visit("glb", move |nth, ask| match (nth, ask.range_start()) {
            (1, _) => tagged(Response::file(&glb(1000))).breaking_at(400),
            (_, 0) => tagged(Response::file(&new())),
            (_, from) => tagged(Response::range_response(&new(), from)),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), new(), "{etag:?}");
    }
}

#[tokio::test]
async fn a_416_at_the_end_completes_the_file() {
    let (_house, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(&glb(1000)).chunked().breaking_at(1000),
        _ => Response::status(416).with_header("content-range", "bytes */1000"),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
}

/// Cases L7: the answers to a range request that are not the rest of the file.
#[tokio::test]
async fn an_odd_answer_to_a_range_request_is_followed_by_a_request_for_the_whole_file() {
    let odd: [fn() -> Response; 7] = [
        || Response::status(416).with_header("content-range", "bytes */300"),
        || Response::status(416),
        || Response::status(304),
        || Response::file(&glb(1000)[400..]).with_status(206),
        || Response::file(&glb(1000)[400..]).with_content_range(400, 1005),
        || Response::file(&[&glb(1000)[400..], b"more"].concat()).with_content_range(400, 1000).chunked(),
        || Response::file(b"--x--").with_status(206).with_header("content-type", "multipart/byteranges; boundary=x"),
    ];
    for (case, answer) in odd.into_iter().enumerate() {
        let (fixture, ended) = visit("glb", move |nth, _| match nth {
            1 => Response::file(&glb(1000)).breaking_at(400),
            2 => answer(),
            _ => Response::file(&glb(1000)),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{case}");
        assert_eq!(range_starts(&fixture), [0, 1, 0], "{case}");
    }
}

/// A server that sends whole blocks, from a URL that is spent and only continues by range.
#[tokio::test]
async fn a_range_that_begins_before_the_bytes_on_the_disk_end_is_compared_with_them_and_continues_them() {
    for (begins_before, is_same) in [(100, true), (100, false), (1000, true), (4096, true)] {
        let (fixture, ended) = visit("glb", move |nth, ask| match nth {
            1 => Response::file(&glb(20_000)).breaking_at(10_000),
            _ if ask.range_start() == 0 => Response::file(&glb(20_000)),
            from => {
                let from = ask.range_start().max(from) - begins_before;
                let mut rest = glb(20_000)[from..].to_vec();
                rest[0] ^= u8::from(!is_same);
                Response::file(&rest).with_content_range(from, 20_000)
            }
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(20_000), "{begins_before}");
        let starts = range_starts(&fixture);
        assert_eq!(starts, if is_same { vec![0, 5904] } else { vec![0, 5904, 0] }, "{begins_before}");
    }
    // Fewer bytes than are usually compared.
    let (fixture, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(&glb(1000)).with_header(ETAG, "\"1\"").breaking_at(400),
        _ => Response::file(&glb(1000)[300..]).with_header(ETAG, "\"1\"").with_content_range(300, 1000),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(range_starts(&fixture), [0, 400]);
}

/// The same at a URL that is spent and only continues by range.
#[tokio::test]
async fn a_refused_request_for_the_whole_file_does_not_lose_bytes_that_continue_by_range() {
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)).breaking_at(400),
        2 => Response::status(304),
        _ if ask.range_start() == 0 => Response::status(403),
        _ => Response::range_response(&glb(1000), ask.range_start()),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(range_starts(&fixture), [0, 1, 0, 400]);
}

/// Cases L6: a body whose end is that of the connection.
#[tokio::test]
async fn a_body_without_length_that_ends_early_is_continued() {
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)[..400]).with_header(ETAG, "\"1\"").without_length(),
        _ => Response::range_response(&glb(1000), ask.range_start()).with_header(ETAG, "\"1\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(range_starts(&fixture), [0, 400]);
}

/// A server or a firewall that refuses ranges, or fails on each of them, sends the whole file.
#[tokio::test]
async fn a_refused_range_is_no_refusal_of_the_url() {
    for status in [400, 401, 403, 404, 410, 451, 500, 501, 503] {
        let (fixture, ended) = visit("glb", move |nth, ask| match nth {
            1 => Response::file(&glb(1000)).breaking_at(400),
            _ if ask.range_start() > 0 => Response::status(status),
            _ => Response::file(&glb(1000)),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{status}");
        assert!(asked(&fixture).len() <= 4, "{status}");
    }
}

/// The same file under other success statuses, from a URL that is spent afterwards.
#[tokio::test]
async fn a_203_and_a_206_from_the_first_byte_on_are_the_file() {
    let answers: [fn() -> Response; 2] =
        [|| Response::file(&glb(1000)).with_status(203), || Response::file(&glb(1000)).with_content_range(0, 1000)];
    for answer in answers {
        let case = format!("{:?}", answer());
        let (fixture, ended) = visit("glb", move |nth, _| match nth {
            1 => answer(),
            _ => Response::status(410),
        })
        .await;
        assert_eq!(ended.outcome, Outcome::Saved, "{case}");
        assert_eq!(asked(&fixture).len(), 1, "{case}");
    }
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)[..400]).with_status(206).with_header("content-range", "bytes 0-399/1000"),
        _ if ask.range_start() == 0 => Response::status(410),
        _ => Response::range_response(&glb(1000), ask.range_start()),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(range_starts(&fixture), [0, 1]);
}

/// The same file under statuses and headers that do not say so, from a URL that is spent afterwards.
#[tokio::test]
async fn a_model_in_a_201_202_or_206_without_a_range_is_the_file() {
    for status in [201, 202, 206] {
        let (fixture, ended) = visit("glb", move |nth, _| match nth {
            1 => Response::file(&glb(1000)).with_status(status),
            _ => Response::status(410),
        })
        .await;
        assert_eq!(saved(&ended, "avatar.glb"), glb(1000), "{status}");
        assert_eq!(asked(&fixture).len(), 1, "{status}");
    }
    let jpeg = b"\xff\xd8\xff\xda\0\x04..pixels\xff\xd9";
    let (_fixture, ended) = visit("jpg", |_, _| Response::file(jpeg).with_status(206)).await;
    let codes: Vec<_> =
        manifest(&ended.directory.expect("saved")).files[0].notes.iter().map(|note| note.code.clone()).collect();
    assert_eq!(codes, ["length_unknown"]);
    // "Not yet".
    let (fixture, ended) = visit("glb", |nth, _| match nth {
        1 => Response::file(b"{\"status\":\"pending\"}").with_status(202),
        _ => Response::file(&glb(1000)),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(asked(&fixture).len(), 2);
}

/// Weak tags do not prove that the file is the same, but that it changed.
#[tokio::test]
async fn two_weak_tags_that_differ_are_two_versions() {
    let other = || {
        let mut file = glb(1000);
        file[500..].fill(7);
        file
    };
    let (fixture, ended) = visit("glb", move |nth, ask| match (nth, ask.range_start()) {
        (1, _) => Response::file(&glb(1000)).with_header(ETAG, "W/\"1\"").breaking_at(400),
        (_, 0) => Response::file(&other()).with_header(ETAG, "W/\"2\""),
        (_, from) => Response::range_response(&other(), from).with_header(ETAG, "W/\"2\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), other());
    assert_eq!(range_starts(&fixture), [0, 1, 0]);
    assert!(asked(&fixture).iter().all(|ask| ask.header("if-range").is_none()), "a weak tag is not sent");
    // The same tag is no proof either way.
    let (fixture, ended) = visit("glb", |nth, ask| match nth {
        1 => Response::file(&glb(1000)).with_header(ETAG, "W/\"1\"").breaking_at(400),
        _ => Response::range_response(&glb(1000), ask.range_start()).with_header(ETAG, "W/\"1\""),
    })
    .await;
    assert_eq!(saved(&ended, "avatar.glb"), glb(1000));
    assert_eq!(range_starts(&fixture), [0, 1]);
    let codes: Vec<_> =
        manifest(&ended.directory.expect("saved")).files[0].notes.iter().map(|note| note.code.clone()).collect();
    assert_eq!(codes, ["joined_unverified"]);
}

/// Three bytes do not show yet whether they begin the file or an error page. A one-time URL that sent them continues by
/// range only if they are on disk.
#[tokio::test]
async fn the_first_bytes_of_a_stalled_download_survive_a_crash() {
    let mut fixture = Fixture::with_one_file("glb", |nth, ask| match (nth, ask.range_start()) {
        (1, _) => Response::file(&glb(1000)).stalling_at(3),
        (_, from) if from > 0 => Response::range_response(&glb(1000), from),
        _ => Response::status(410),
    })
    .await;
    fixture.profile.timeouts.read = Duration::from_hours(1);
    fixture.profile.limits.patience = Duration::from_hours(1);
    let (visit, _interrupt) = fixture.spawn_visit().await;
    let journalled = async {
        loop {
            if let [file] = fixture.only_visit().await.files.as_slice()
                && matches!(&file.state, FileDownloadState::Requested(progress) if progress.bytes == 3)
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = async { fixture.backend.wait_for_requests("/files/one", 1).await; journalled.await } => {}
        () = tokio::time::sleep(Duration::from_mins(1)) => panic!("the bytes stay in memory"),
    }
    visit.abort();
    assert!(visit.await.expect_err("aborted").is_cancelled());
    let recovered = recover_fixture_visits(&fixture).await;
    assert_eq!(recovered.iter().map(|visit| visit.outcome.exit_code()).collect::<Vec<_>>(), [0]);
    assert_eq!(range_starts(&fixture), [0, 1]);
}
