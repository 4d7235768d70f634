//! One-time downloads.

use crate::support::{TestSandbox, request};
use axum::body::{Body, to_bytes};
use axum::http::Method;
use copresence_sandbox::{BuiltInScenarioName, SandboxSettings};
use futures_util::StreamExt;
use tower::ServiceExt;

#[tokio::test]
async fn each_url_works_once_with_its_content_type() {
    let test = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let files = test.redeem_new_avatar().await;
    let starts: [(&str, &[u8]); 3] =
        [("model/gltf-binary", b"glTF"), ("application/zip", b"PK\x03\x04"), ("image/png", b"\x89PNG")];
    for ((_, path), (kind, start)) in files.iter().zip(starts) {
        let head = test.send_request(Method::HEAD, path, &[], Body::empty()).await;
        assert_eq!(head.status, 200, "a look uses nothing up");
        let file = test.get(path, &[]).await;
        assert_eq!((file.status.as_u16(), file.header("content-type")), (200, kind));
        assert_eq!(file.header("content-length"), file.body.len().to_string());
        assert!(file.body.starts_with(start), "{path}");
        assert_eq!(test.get(path, &[]).await.status_and_code(), (410, 101), "used");
        assert_eq!(test.get(path, &[("Range", "bytes=0-1")]).await.status_and_code(), (410, 101), "used");
    }
    assert_eq!(test.get("/files/unknown/avatar.glb", &[]).await.status_and_code(), (404, 101));
}

#[tokio::test]
async fn url_expires_after_five_minutes() {
    let test = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let files = test.redeem_new_avatar().await;
    test.advance_seconds(299);
    assert_eq!(test.get(&files[0].1, &[]).await.status, 200);
    test.advance_seconds(1);
    assert_eq!(test.get(&files[1].1, &[]).await.status_and_code(), (410, 101));
}

#[tokio::test]
async fn unfinished_delivery_resumes_with_range() {
    let test = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let path = &test.redeem_new_avatar().await[0].1;
    let response = test.app.clone().oneshot(request(Method::GET, path, &[], Body::empty())).await.expect("infallible");
    let etag = response.headers()["etag"].to_str().expect("visible").to_owned();
    let whole: usize = response.headers()["content-length"].to_str().expect("visible").parse().expect("a number");
    let mut body = response.into_body().into_data_stream();
    let first = body.next().await.expect("a chunk").expect("bytes");
    drop(body);
    assert!(first.len() < whole, "the file has more than one chunk");
    let range = format!("bytes={}-", first.len());
    let wrong = [("Range", range.as_str()), ("If-Range", "\"another\"")];
    assert_eq!(
        test.send_request(Method::HEAD, path, &wrong, Body::empty()).await.status,
        200,
        "another version: the whole"
    );
    let beyond = test.get(path, &[("Range", "bytes=999999999-")]).await;
    assert_eq!(beyond.status_and_code(), (416, 101));
    assert_eq!(beyond.header("content-range"), format!("bytes */{whole}"));
    let rest = test.get(path, &[("Range", &range), ("If-Range", &etag)]).await;
    assert_eq!(rest.status, 206);
    assert_eq!(rest.header("content-range"), format!("bytes {}-{}/{whole}", first.len(), whole - 1));
    assert_eq!(first.len() + rest.body.len(), whole);
    assert_eq!(test.get(path, &[("Range", &range)]).await.status_and_code(), (410, 101), "used up by its last byte");
}

#[tokio::test]
async fn newer_delivery_ends_the_older_one() {
    let test = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let path = &test.redeem_new_avatar().await[0].1;
    let ask = || test.app.clone().oneshot(request(Method::GET, path, &[], Body::empty()));
    let older = ask().await.expect("infallible");
    let newer = ask().await.expect("infallible");
    assert!(to_bytes(older.into_body(), usize::MAX).await.is_err(), "cut off");
    assert!(to_bytes(newer.into_body(), usize::MAX).await.is_ok());
}

#[tokio::test]
async fn files_of_a_partner_are_served_unchanged() {
    let dir = tempfile::tempdir().expect("a folder");
    let big: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    std::fs::create_dir(dir.path().join("anna")).expect("a sub-folder");
    std::fs::write(dir.path().join("anna/avatar.blend"), &big).expect("a file");
    std::fs::write(dir.path().join("anna/avatar_fbx.zip"), b"").expect("an empty file");
    let assets = Some(dir.path().to_owned());
    let test = TestSandbox::with_settings(SandboxSettings {
        scenario: BuiltInScenarioName::ExistingAvatar.into(),
        assets,
        ..SandboxSettings::default()
    });
    let files = test.redeem_new_avatar().await;
    let types: Vec<_> = files.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(types, ["blend", "fbx"]);
    let part = test.get(&files[0].1, &[("Range", "bytes=100000-100009")]).await;
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &big[100_000..100_010]));
    assert_eq!(test.get(&files[0].1, &[]).await.body, big);
    assert_eq!(test.get(&files[0].1, &[]).await.status, 410);
    assert_eq!(test.get(&files[1].1, &[]).await.body.len(), 0);
    assert_eq!(test.get(&files[1].1, &[]).await.status, 410, "an empty file is delivered once too");
}

#[tokio::test]
async fn huge_file_of_a_partner_is_streamed_from_the_requested_offset() {
    const SIZE: u64 = 6 << 30;
    let dir = tempfile::tempdir().expect("a folder");
    let anna = dir.path().join("anna");
    std::fs::create_dir(&anna).expect("a sub-folder");
    // A sparse file takes no disk space.
    std::fs::File::create(anna.join("body.glb")).and_then(|file| file.set_len(SIZE)).expect("a file");
    let assets = Some(dir.path().to_owned());
    let test = TestSandbox::with_settings(SandboxSettings {
        scenario: BuiltInScenarioName::ExistingAvatar.into(),
        assets,
        ..SandboxSettings::default()
    });
    let path = &test.redeem_new_avatar().await[0].1;
    let tail = test.get(path, &[("Range", &format!("bytes={}-{}", SIZE - 5, SIZE - 2))]).await;
    assert_eq!((tail.status.as_u16(), tail.body.len()), (206, 4));
    let response = test.app.clone().oneshot(request(Method::GET, path, &[], Body::empty()));
    let body = response.await.expect("infallible").into_body();
    let first = body.into_data_stream().next().await.expect("a piece").expect("readable");
    assert!(first.len() <= 64 * 1024, "{} bytes at once", first.len());
}
