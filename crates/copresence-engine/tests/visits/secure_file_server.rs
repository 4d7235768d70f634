//! File servers over https that close each connection without the closing alert of TLS (`close_notify`).
//!
//! The root certificates of a process are those of its environment, so the visits run in a child process.

use super::backend::{Response, glb};
use super::fixture::{Fixture, REDEEM_PATH, manifest, saved};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The folder with the certificate of the server.
const CERTIFICATE_FOLDER: &str = "VISITS_TEST_CERTIFICATE_FOLDER";

/// The n-th response of a file server, to a request from this offset on.
type Answer = fn(usize, usize) -> Vec<u8>;

fn fbx() -> Vec<u8> {
    [b"Kaydara FBX Binary  \0\x1a\0".to_vec(), vec![0xa5; 50_000]].concat()
}

/// A response whose end is that of its connection.
fn without_length(file: &[u8]) -> Vec<u8> {
    [b"HTTP/1.0 200 OK\r\n\r\n".as_slice(), file].concat()
}

fn gone() -> Vec<u8> {
    b"HTTP/1.0 410 Gone\r\nContent-Length: 0\r\n\r\n".to_vec()
}

fn rest_of_file(file: &[u8], from: usize) -> Vec<u8> {
    let (rest, total) = (&file[from..], file.len());
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{total}\r\n\r\n",
        rest.len(),
        total - 1
    );
    [head.as_bytes(), rest].concat()
}

async fn serve_connection(socket: TcpStream, tls: TlsAcceptor, requests: Arc<AtomicUsize>, answer: Answer) {
    let Ok(mut stream) = tls.accept(socket).await else { return };
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).expect("a head").to_ascii_lowercase();
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-'));
    let from = range.map_or(0, |from| from.parse().expect("a number"));
    let nth = requests.fetch_add(1, Ordering::Relaxed) + 1;
    // The client may be gone. The stream is dropped, and not shut down.
    _ = stream.write_all(&answer(nth, from)).await;
    _ = stream.flush().await;
}

/// A visit whose only file is on such a server. Returns the saved file, the codes of its notes, and the number of requests.
async fn visit_file_server(kind: &'static str, name: &str, answer: Answer) -> (Vec<u8>, Vec<String>, usize) {
    let folder = std::env::var(CERTIFICATE_FOLDER).expect("a folder");
    let read = |name: &str| std::fs::read(Path::new(&folder).join(name)).expect("read");
    copresence_engine::install_crypto_provider();
    let key = PrivateKeyDer::try_from(read("key.der")).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(read("server.der"))], key)
        .expect("a configuration");
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://localhost:{}/file", listener.local_addr().expect("an address").port());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let server = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.expect("a connection");
            tokio::spawn(serve_connection(socket, tls.clone(), Arc::clone(&counted), answer));
        }
    });
    let fixture = Fixture::new(move |_, ask| match ask.path.as_str() {
        REDEEM_PATH => {
            let list = [serde_json::json!({"export_type": kind, "download_URL": url})];
            Response::json(&serde_json::json!({"avatar_ready": true, "payload_complete": list}))
        }
        _ => Response::default(),
    })
    .await;
    let ended = fixture.run_visit().await;
    server.abort();
    let file = saved(&ended, name);
    let notes = manifest(&ended.directory.expect("saved")).files[0].notes.clone();
    (file, notes.into_iter().map(|note| note.code).collect(), requests.load(Ordering::Relaxed))
}

/// Not a test: the part of the test below that runs in a child process.
#[tokio::test]
async fn child_process() {
    if std::env::var_os(CERTIFICATE_FOLDER).is_none() {
        return;
    }
    let unknown_length = vec!["length_unknown".to_owned()];
    let visit_fbx = async |answer: Answer| visit_file_server("fbx", "avatar_fbx.zip", answer).await;
    // The same again.
    let (file, notes, requests) = visit_fbx(|_, _| without_length(&fbx())).await;
    assert!(file == fbx() && notes == unknown_length && requests == 2, "{notes:?} {requests}");
    // Nothing else.
    let (file, notes, _) = visit_fbx(|nth, _| if nth == 1 { without_length(&fbx()) } else { gone() }).await;
    assert!(file == fbx() && notes == unknown_length, "{notes:?}");
    // Less at first.
    let (file, notes, requests) = visit_fbx(|nth, _| match nth {
        1 => without_length(&fbx()[..25_000]),
        _ => without_length(&fbx()),
    })
    .await;
    assert!(file == fbx() && notes == unknown_length && requests == 3, "{notes:?} {requests}");
    // Less at the second request, and then nothing.
    let (file, notes, _) = visit_fbx(|nth, _| match nth {
        1 => without_length(&fbx()),
        2 => without_length(&fbx()[..25_000]),
        _ => gone(),
    })
    .await;
    assert!(file == fbx() && notes == unknown_length, "{notes:?}");
    // Continued by range, with a length.
    let (file, notes, requests) = visit_fbx(|nth, from| match nth {
        1 => without_length(&fbx()[..25_000]),
        _ => rest_of_file(&fbx(), from),
    })
    .await;
    assert!(file == fbx() && notes == ["joined_unverified"] && requests == 2, "{notes:?} {requests}");
    // A file that states its end.
    let (file, notes, requests) = visit_file_server("glb", "avatar.glb", |_, _| without_length(&glb(1000))).await;
    assert!(file == glb(1000) && notes.is_empty() && requests == 1, "{notes:?} {requests}");
}

#[tokio::test]
#[cfg_attr(any(windows, target_os = "macos"), ignore = "the system's own store decides there")]
async fn a_response_without_a_length_and_without_the_end_of_tls_is_requested_again_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("written");
    write("issuer.pem", issuer.pem().as_bytes());
    write("server.der", certificate.der());
    write("key.der", &key.serialize_der());
    let output = tokio::process::Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "secure_file_server::child_process", "--nocapture"])
        .env(CERTIFICATE_FOLDER, folder.path())
        .env("SSL_CERT_FILE", folder.path().join("issuer.pem"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .await
        .expect("a child process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
