//! Strangers on the hall's network who attack the phones' server of a kiosk: connections that stay, and pictures that
//! would fill the memory.
//!
//! The attack runs in a process of its own on the machines of a [`HallNetwork`]: a test that calls [`attack_if_asked`].

use super::child_program::ChildProgram;
use super::{HallNetwork, HarnessError};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ChildStdout;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Machines of the attackers. Together they may keep fewer connections than all other machines may have.
pub const ATTACKER_COUNT: u8 = 12;
/// Connections that are kept open, or opened again when the server closes them. More than 1,000.
const CONNECTIONS_OF_A_MACHINE: usize = 84;
/// The link of the QR code under attack, in the environment of the attacking process.
const LINK_VARIABLE: &str = "COPRESENCE_TEST_ATTACKED_LINK";
/// Start of the line with the statuses of the picture bombs.
const BOMBS_LINE: &str = "picture bombs: ";
/// Start of the line with the number of connections, at the end of the attack.
const CONNECTIONS_LINE: &str = "hostile connections: ";
const PICTURE_BOMBS: usize = 50;
/// Time limit of an upload, which waits for the uploads and the processor time of others.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(3);
/// Pause before a connection that was closed is opened again, so that the attack leaves processor time to the tests.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// The attacking process.
#[derive(Debug)]
pub struct NetworkAttack {
    program: ChildProgram,
    output: BufReader<ChildStdout>,
}

impl NetworkAttack {
    /// Starts an attack by the machines of a hall. `test` is the name of the test that calls [`attack_if_asked`],
    /// `link` the content of a QR code that the attackers have photographed.
    pub fn start(hall: &HallNetwork, test: &str, link: &str, logs: &Path) -> Result<Self, HarnessError> {
        let mut program = hall.start_guest_test(test, (LINK_VARIABLE, link), logs)?;
        let output = BufReader::new(program.take_output()?);
        Ok(Self { program, output })
    }

    /// Waits until all picture bombs are answered, and returns their statuses. Hostile connections come all the time.
    pub fn await_picture_bombs(&mut self) -> Result<Vec<u16>, HarnessError> {
        let statuses = self.await_line(BOMBS_LINE)?;
        Ok(statuses.split(' ').map(str::parse).collect::<Result<_, _>>()?)
    }

    /// Ends the attack, and returns how many connections were made.
    pub fn stop(mut self) -> Result<usize, HarnessError> {
        self.program.write_input("")?;
        Ok(self.await_line(CONNECTIONS_LINE)?.parse()?)
    }

    fn await_line(&mut self, start: &str) -> Result<String, HarnessError> {
        let mut line = String::new();
        while self.output.read_line(&mut line)? > 0 {
            if let Some(rest) = line.strip_prefix(start) {
                return Ok(rest.trim().to_owned());
            }
            line.clear();
        }
        Err(format!("the attack ended before it reported its {start}see its log").into())
    }
}

/// Attacks until the standard input ends, if this process was started for that; else returns at once.
pub async fn attack_if_asked() -> Result<(), HarnessError> {
    let Ok(link) = std::env::var(LINK_VARIABLE) else { return Ok(()) };
    copresence_sandbox::raise_open_file_limit();
    let target = AttackedServer::from_link(&link)?;
    let made = Arc::new(AtomicUsize::new(0));
    let requests: Arc<[HostileRequest]> = hostile_requests().into();
    let mut connections = tokio::task::JoinSet::new();
    for machine in 0..ATTACKER_COUNT {
        for number in 0..CONNECTIONS_OF_A_MACHINE {
            let (requests, made, address) = (Arc::clone(&requests), Arc::clone(&made), target.address);
            connections.spawn(async move {
                let request = &requests[number % requests.len()];
                request.keep_connection_open(HallNetwork::machine_address(machine), address, &made).await;
            });
        }
    }
    // Printed after a line break: the test program has begun a line with the name of the test.
    println!("\n{BOMBS_LINE}{}", target.upload_picture_bombs().await?.join(" "));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    connections.shutdown().await;
    println!("{CONNECTIONS_LINE}{}", made.load(Ordering::Relaxed));
    Ok(())
}

/// A request that takes a place of the server as long as possible.
struct HostileRequest {
    bytes: Vec<u8>,
    /// Whether the attacker reads the response, which ends when the server closes the connection.
    reads_response: bool,
}

/// Slow heads, bodies without end for an unknown token and for a login, a request whose body never comes, and responses
/// that are not read.
fn hostile_requests() -> [HostileRequest; 5] {
    let stalled_body = vec![0xff; 1_900_000];
    let associate = "POST /phone/associate?exportToken=unknown&avatar=new";
    let reading = |bytes: Vec<u8>| HostileRequest { bytes, reads_response: true };
    [
        reading(b"GET /slow HTTP/1.1\r\nHost: kiosk\r\nX-Slow: ".to_vec()),
        reading([request_head(associate, 2_000_000).as_bytes(), &stalled_body].concat()),
        reading(request_head(associate, 2_000_000).into_bytes()),
        reading([request_head("POST /login", 60_000).as_bytes(), &stalled_body[..50_000]].concat()),
        HostileRequest {
            bytes: "GET /openapi.json HTTP/1.1\r\nHost: kiosk\r\n\r\n".repeat(100).into_bytes(),
            reads_response: false,
        },
    ]
}

impl HostileRequest {
    /// Sends the request, and again whenever the server has closed the connection. Never returns.
    async fn keep_connection_open(&self, from: Ipv4Addr, to: SocketAddr, made: &AtomicUsize) {
        loop {
            if let Ok(mut connection) = connect_from(from, to).await {
                made.fetch_add(1, Ordering::Relaxed);
                // Fails when the server has refused the request and closed the connection.
                _ = connection.write_all(&self.bytes).await;
                if self.reads_response {
                    while connection.read(&mut [0; 1024]).await.is_ok_and(|bytes| bytes > 0) {}
                } else {
                    // The server ends it, which is seen only by reading.
                    std::future::pending::<()>().await;
                }
            }
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }
}

/// The server under attack.
struct AttackedServer {
    address: SocketAddr,
    token: String,
}

impl AttackedServer {
    fn from_link(link: &str) -> Result<Self, HarnessError> {
        let (address, token) = link
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once("/phone?exportToken="))
            .ok_or_else(|| format!("{link} is not a link of a phones' server"))?;
        Ok(Self { address: address.parse()?, token: token.to_owned() })
    }

    /// Uploads picture bombs, one after the other, because the token takes one at a time. Returns their statuses; 0 for
    /// connections that end without a response.
    async fn upload_picture_bombs(&self) -> Result<Vec<String>, HarnessError> {
        let bombs = [
            // As large as is accepted, and damaged at its end: decoded, and refused only then.
            cut_png(&encode_black_png(4_000, 4_000, ExtendedColorType::Rgba8)?),
            encode_black_png(11_800, 11_800, ExtendedColorType::L8)?,
        ];
        let mut statuses = Vec::new();
        for number in 0..PICTURE_BOMBS {
            let uploaded = tokio::time::timeout(UPLOAD_TIMEOUT, self.upload_picture(&bombs[number % bombs.len()]));
            let status = uploaded.await.map_err(|_| format!("picture bomb {number} got no answer"))?;
            statuses.push(status.unwrap_or_default());
        }
        Ok(statuses)
    }

    /// Uploads a picture, and returns the status of the response.
    async fn upload_picture(&self, picture: &[u8]) -> Result<String, HarnessError> {
        let mut connection = connect_from(HallNetwork::machine_address(ATTACKER_COUNT), self.address).await?;
        let line = format!("POST /phone/associate?exportToken={}&avatar=new", self.token);
        connection.write_all(&[request_head(&line, picture.len()).as_bytes(), picture].concat()).await?;
        let mut response = Vec::new();
        connection.read_to_end(&mut response).await?;
        let response = String::from_utf8_lossy(&response);
        Ok(response.split_whitespace().nth(1).ok_or("no status")?.to_owned())
    }
}

async fn connect_from(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from.into(), 0))?;
    socket.connect(to).await
}

/// The head of a request with a body of this length.
fn request_head(line: &str, length: usize) -> String {
    format!("{line} HTTP/1.1\r\nHost: kiosk\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
}

fn encode_black_png(width: u32, height: u32, color: ExtendedColorType) -> Result<Vec<u8>, HarnessError> {
    let pixel_bytes = usize::from(color.bits_per_pixel() / 8);
    let mut png = Vec::new();
    let pixels = vec![0; usize::try_from(u64::from(width) * u64::from(height))? * pixel_bytes];
    PngEncoder::new(&mut png).write_image(&pixels, width, height, color)?;
    Ok(png)
}

/// A PNG without its last pixels.
fn cut_png(png: &[u8]) -> Vec<u8> {
    png[..png.len() - 200].to_vec()
}
