//! Attacks a sandbox in a process of its own with 1,000 hostile connections and 50 picture bombs, and prints how much
//! memory it used at most: `cargo run -p copresence-sandbox --example attack`. Linux only. Fails above 300 MB, or if the
//! sandbox does not answer others meanwhile.

use copresence_sandbox::{SandboxSettings, Server};
use image::{DynamicImage, ImageFormat};
use std::error::Error;
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Peak memory that the sandbox may use, in kB.
const MAX_PEAK_KB: u64 = 300_000;
/// Hostile connections of each of the five kinds.
const CONNECTIONS_OF_A_KIND: usize = 200;
const PICTURE_BOMBS: usize = 50;
/// The argument with which this program starts itself as the sandbox.
const SERVE: &str = "serve";

fn main() -> Outcome<()> {
    copresence_sandbox::raise_open_file_limit();
    if std::env::args().nth(1).as_deref() == Some(SERVE) { serve_until_killed() } else { attack_own_server() }
}

/// Serves a sandbox, and prints its address, API key and session token.
fn serve_until_killed() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::start(SandboxSettings::default(), ([127, 0, 0, 1], 0).into()).await?;
        let known = server.sandbox().accepted_credentials();
        println!("{} {} {}", server.listen_address(), known.api_key.expose(), known.session_token.expose());
        std::future::pending().await
    })
}

fn attack_own_server() -> Outcome<()> {
    let mut child = Command::new(std::env::current_exe()?).arg(SERVE).stdout(Stdio::piped()).spawn()?;
    let outcome = attack(&mut child);
    child.kill()?;
    child.wait()?;
    outcome
}

fn attack(child: &mut Child) -> Outcome<()> {
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let mut next_word = || words.next().ok_or("the sandbox did not start");
    let target = Target { address: next_word()?.parse()?, api_key: next_word()?.into(), session: next_word()?.into() };
    println!("idle: {} kB", peak_memory_kb(child)?);

    let connections = target.open_hostile_connections()?;
    println!("{} hostile connections: {} kB", connections.len(), peak_memory_kb(child)?);
    let bombs =
        [encode_png(&DynamicImage::new_rgba8(4_000, 4_000))?, encode_png(&DynamicImage::new_luma8(11_800, 11_800))?];
    let tokens = (0..PICTURE_BOMBS).map(|_| target.generate_token()).collect::<Outcome<Vec<_>>>()?;
    let started = Instant::now();
    let mut statuses = std::thread::scope(|scope| {
        let upload = |(index, token): (usize, &String)| {
            let (target, bomb) = (&target, &bombs[index % bombs.len()]);
            let token = token.clone();
            scope.spawn(move || target.upload_picture(&token, bomb).unwrap_or_default())
        };
        let uploads: Vec<_> = tokens.iter().enumerate().map(upload).collect();
        uploads.into_iter().map(|upload| upload.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    let answered = target.send("GET /static/icon.svg", &[], b"")?.starts_with("HTTP/1.1 200");
    statuses.sort();
    statuses.dedup_by(|one, other| one == other);
    println!("{PICTURE_BOMBS} bombs in {:.1} s, answered with {statuses:?}", started.elapsed().as_secs_f32());
    // Longer than a body may take.
    std::thread::sleep(Duration::from_secs(22));
    drop(connections);
    let peak = peak_memory_kb(child)?;
    println!("at most: {peak} kB");
    if !answered || peak > MAX_PEAK_KB {
        return Err(format!("answered others: {answered}; {peak} kB of at most {MAX_PEAK_KB} kB").into());
    }
    Ok(())
}

/// The sandbox under attack.
struct Target {
    address: SocketAddr,
    api_key: String,
    session: String,
}

impl Target {
    /// Opens connections that stay: slow heads, bodies without end for unknown and for valid tokens, wrong credentials,
    /// and responses that are not read.
    fn open_hostile_connections(&self) -> Outcome<Vec<TcpStream>> {
        let mut opened = Vec::new();
        let stalled_body = vec![0xff; 1_900_000];
        for index in 0..CONNECTIONS_OF_A_KIND {
            opened.push(self.write(b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")?);
            let unknown = head("POST /phone/associate?exportToken=unknown&avatar=new", &[], 2_000_000);
            opened.push(self.write(&[unknown.as_bytes(), &stalled_body[..60_000]].concat())?);
            // Every tenth with a token of its own.
            let token = if index % 10 == 0 { self.generate_token()? } else { "unknown".to_owned() };
            let line = format!("POST /phone/associate?exportToken={token}&avatar=new");
            opened.push(self.write(&[head(&line, &[], 2_000_000).as_bytes(), &stalled_body].concat())?);
            let login = head("POST /login", &[("X-Copresence-REST-API-Key", "wrong")], 60_000);
            opened.push(self.write(&[login.as_bytes(), &stalled_body[..50_000]].concat())?);
            let page = "GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(100);
            opened.push(self.write(page.as_bytes())?);
        }
        Ok(opened)
    }

    fn generate_token(&self) -> Outcome<String> {
        let headers = [("X-Copresence-REST-API-Key", &*self.api_key), ("X-Copresence-Session-Token", &*self.session)];
        let response = self.send("POST /generateExportToken", &headers, b"")?;
        let body = response.split("\r\n\r\n").nth(1).ok_or("no body")?;
        let token = serde_json::from_str::<serde_json::Value>(body)?["token"].as_str().map(str::to_owned);
        Ok(token.ok_or("no token")?)
    }

    /// Uploads a picture, and returns the first line of the response.
    fn upload_picture(&self, token: &str, picture: &[u8]) -> Outcome<String> {
        let response = self.send(&format!("POST /phone/associate?exportToken={token}&avatar=new"), &[], picture)?;
        Ok(response.lines().next().unwrap_or_default().to_owned())
    }

    /// Sends a request, and returns the response.
    fn send(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Outcome<String> {
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(Duration::from_mins(2)))?;
        let headers = [headers, &[("Connection", "close")]].concat();
        socket.write_all(&[head(line, &headers, body.len()).as_bytes(), body].concat())?;
        let mut response = Vec::new();
        socket.read_to_end(&mut response)?;
        Ok(String::from_utf8_lossy(&response).into_owned())
    }

    /// Writes as much as the sandbox accepts at once, and returns the connection.
    fn write(&self, bytes: &[u8]) -> Outcome<TcpStream> {
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_write_timeout(Some(Duration::from_millis(50)))?;
        // Stops when the sandbox does not read on, or has refused the request.
        _ = socket.write_all(bytes);
        Ok(socket)
    }
}

/// The head of a request with a body of this length.
fn head(line: &str, headers: &[(&str, &str)], length: usize) -> String {
    let mut head = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head + "\r\n"
}

fn encode_png(picture: &DynamicImage) -> Outcome<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

/// The most memory that a process has used so far, in kB.
fn peak_memory_kb(child: &Child) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
