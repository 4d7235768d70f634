//! Strangers on the hall's network who attack the phones' server of a kiosk: connections that stay, and pictures that
//! would fill the memory.

use super::HarnessError;
use image::{DynamicImage, ImageFormat};
use std::io::{Cursor, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Connections of each of the five kinds that [`PhoneServerAttack::open_hostile_connections`] opens.
const CONNECTIONS_OF_A_KIND: usize = 200;
/// Width and height of pictures of less than 2 MiB that would need 16 MB and 139 MB when decoded.
const BOMB_SIZES: [(u32, u32); 2] = [(4_000, 4_000), (11_800, 11_800)];

/// An attack on the phones' server at this address.
#[derive(Debug, Clone)]
pub struct PhoneServerAttack {
    address: SocketAddr,
    /// The Export Token of a QR code that the attacker has photographed.
    token: String,
}

impl PhoneServerAttack {
    /// Prepares an attack on the server that a QR code leads to. `link` is its content.
    pub fn from_link(link: &str) -> Result<Self, HarnessError> {
        let rest = link.strip_prefix("http://").ok_or_else(|| format!("{link} is not plain HTTP"))?;
        let (host, query) = rest.split_once('/').ok_or_else(|| format!("{link} has no path"))?;
        let token = query.split(['?', '&', '=', '/', '#']).max_by_key(|word| word.len()).unwrap_or_default();
        Ok(Self { address: host.parse()?, token: token.to_owned() })
    }

    /// Opens 1,000 connections that stay: slow heads, bodies without end for an unknown token and for a login, a request
    /// whose body never comes, and responses that are not read. The server may refuse some of them, and ends each in
    /// time.
    pub fn open_hostile_connections(&self) -> Vec<TcpStream> {
        let stalled_body = vec![0xff; 1_900_000];
        let associate = "POST /phone/associate?exportToken=unknown&avatar=new";
        let requests = [
            b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ".to_vec(),
            [request_head(associate, 2_000_000).as_bytes(), &stalled_body].concat(),
            request_head(associate, 2_000_000).into_bytes(),
            [request_head("POST /login", 60_000).as_bytes(), &stalled_body[..50_000]].concat(),
            "GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(100).into_bytes(),
        ];
        let all = (0..CONNECTIONS_OF_A_KIND).flat_map(|_| &requests);
        all.filter_map(|request| self.connect_and_write(request).ok()).collect()
    }

    /// Keeps 1,000 hostile connections open until `is_over`, and returns how many were made.
    pub fn attack_until(&self, is_over: impl Fn() -> bool) -> usize {
        let mut made = 0;
        let mut opened = Vec::new();
        while !is_over() {
            // The earlier ones close when the new ones are open.
            opened = self.open_hostile_connections();
            made += opened.len();
        }
        drop(opened);
        made
    }

    /// Uploads picture bombs, one after the other, and returns the first lines of the responses. A connection that the
    /// server closes without a response counts as an empty line.
    pub fn upload_picture_bombs(&self, count: usize) -> Result<Vec<String>, HarnessError> {
        let mut bombs = Vec::new();
        for (width, height) in BOMB_SIZES {
            let mut png = Cursor::new(Vec::new());
            DynamicImage::new_luma8(width, height).write_to(&mut png, ImageFormat::Png)?;
            bombs.push(png.into_inner());
        }
        let bombs = bombs.iter().cycle().take(count);
        Ok(bombs.map(|bomb| self.upload_picture(bomb).unwrap_or_default()).collect())
    }

    fn upload_picture(&self, picture: &[u8]) -> Result<String, HarnessError> {
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(Duration::from_mins(2)))?;
        let line = format!("POST /phone/associate?exportToken={}&avatar=new", self.token);
        socket.write_all(&[request_head(&line, picture.len()).as_bytes(), picture].concat())?;
        let mut response = Vec::new();
        socket.read_to_end(&mut response)?;
        Ok(String::from_utf8_lossy(&response).lines().next().unwrap_or_default().to_owned())
    }

    /// Writes as much as the server accepts at once, and returns the connection.
    fn connect_and_write(&self, bytes: &[u8]) -> std::io::Result<TcpStream> {
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_write_timeout(Some(Duration::from_millis(50)))?;
        // Stops when the server does not read on, or has refused the request.
        _ = socket.write_all(bytes);
        Ok(socket)
    }
}

/// The head of a request with a body of this length.
fn request_head(line: &str, length: usize) -> String {
    format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
}
