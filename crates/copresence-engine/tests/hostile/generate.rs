//! Random hostile responses from a seed: bodies, heads, URLs, export types, tokens, and how the connection ends.

use crate::hostile_backend::{Case, ScriptedAct, glb};
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

type Rng = ChaCha8Rng;

const NASTY_STRINGS: &[&str] = &[
    "",
    "glb",
    "GLB",
    "png",
    "fbx",
    "blend",
    "../../../../tmp/evil",
    "..\\..\\evil",
    "/etc/passwd",
    "C:\\evil",
    "CON",
    "aux.glb",
    "nul",
    "COM1.txt",
    "glb.",
    "glb ",
    " ",
    ".",
    "..",
    "manifest.json",
    "avatar.glb.part",
    ".hidden",
    "\u{202e}bld.exe",
    "\u{2066}glb",
    "e\u{301}",
    "ｇｌｂ",
    "😀",
    "a\u{0}b",
    "a\nb",
    "a\r\nSet-Cookie: x",
    "\u{1b}[31mred",
    "\u{1b}]0;title\u{7}",
    "%2e%2e%2f",
    "${jndi:ldap://x}",
    "'; DROP TABLE visits; --",
    "<script>",
    "-rf",
    "--help",
];

/// The whole case of a seed.
pub(crate) fn random_case(seed: u64, number: usize, base: &str) -> Case {
    let mut rng = Rng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(number as u64));
    let rng = &mut rng;
    let mut case = Case::default();
    if rng.random_bool(0.15) {
        let body = random_token_body(rng);
        case.generate = Some(random_act(rng, &body));
    }
    for _ in 0..rng.random_range(1..3) {
        let body = random_redeem_body(rng, number, base);
        case.redeems.push(random_act(rng, &body));
    }
    for _ in 0..rng.random_range(1..4) {
        let file = glb(rng.random_range(12..3000));
        case.files.push(if rng.random_bool(0.5) { ScriptedAct::response(200, file) } else { random_act(rng, &file) });
    }
    case
}

fn pick_one<'a, T: ?Sized>(rng: &mut Rng, all: &[&'a T]) -> &'a T {
    all[rng.random_range(0..all.len())]
}

fn random_text(rng: &mut Rng) -> String {
    match rng.random_range(0..12) {
        0 => pick_one(rng, NASTY_STRINGS).repeat(rng.random_range(1..200)),
        1 => "x".repeat(rng.random_range(1..100_000)),
        2 => (0..rng.random_range(0..40))
            .map(|_| char::from_u32(rng.random_range(0..0x11_0000)).unwrap_or('?'))
            .collect(),
        _ => pick_one(rng, NASTY_STRINGS).to_owned(),
    }
}

fn random_number(rng: &mut Rng) -> &'static str {
    pick_one(
        rng,
        &[
            "0",
            "-1",
            "50",
            "100",
            "101",
            "-2",
            "1e400",
            "-1e400",
            "1e-400",
            "99999999999999999999999",
            "0.5",
            "-0",
            "1e2",
            "true",
            "null",
            "\"50\"",
            "[]",
            "NaN",
            "0x10",
            "01",
        ],
    )
}

fn random_url(rng: &mut Rng, number: usize, base: &str) -> String {
    let file = rng.random_range(0..1000);
    match rng.random_range(0..14) {
        0 => format!("file:///etc/passwd?case-{number}"),
        1 => format!("ftp://127.0.0.1/case-{number}"),
        2 => "javascript:alert(1)".to_owned(),
        3 => format!("http://127.0.0.2:1/case-{number}"),
        4 => base.replace("http://", "http://user:p%40ss@") + &format!("case-{number}/{file}"),
        5 => base.replace("http://", "https://") + &format!("case-{number}/{file}"),
        6 => format!("/case-{number}/{file}"),
        7 => {
            "http://".to_owned()
                + pick_one(rng, &["", "[", "[::1", "%00", "a b", "\u{202e}", "..", "256.256.256.256", "0x7f.1:1"])
        }
        8 => format!("{base}case-{number}/{}", "x".repeat(rng.random_range(1..30_000))),
        9 => format!("{base}case-{number}/../../{file}?a=b\r\nX-Injected: 1#fragment"),
        _ => format!("{base}case-{number}/{file}"),
    }
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn random_token_body(rng: &mut Rng) -> Vec<u8> {
    let token = match rng.random_range(0..6) {
        0 => "t".repeat(rng.random_range(1..1_100_000)),
        _ => random_text(rng),
    };
    let json =
        format!("{{{}:{}}}", pick_one(rng, &["\"token\"", "\"Token\"", "\"token\":1,\"token\""]), json_string(&token));
    corrupt_body(rng, json.into_bytes())
}

fn random_redeem_body(rng: &mut Rng, number_of: usize, base: &str) -> Vec<u8> {
    let json = match rng.random_range(0..10) {
        0 => "[".repeat(rng.random_range(1..100_000)),
        1 => "{\"payload_complete\":[".repeat(rng.random_range(1..5_000)),
        2 => " ".repeat(rng.random_range(0..1_000_000)),
        3 | 4 => format!(
            "{{\"avatar_ready\":{},\"payload_incomplete\":{{\"completion_progress\":{},\"completion_status\":{},\"queue_position\":{}}}}}",
            pick_one(rng, &["false", "true", "0", "\"false\"", "null"]),
            random_number(rng),
            json_string(&random_text(rng)),
            random_number(rng),
        ),
        _ => {
            let entries: Vec<String> = (0..rng.random_range(0..6))
                .map(|_| {
                    let (url, kind) = (json_string(&random_url(rng, number_of, base)), json_string(&random_text(rng)));
                    match rng.random_range(0..8) {
                        0 => format!("{{\"download_URL\":{url}}}"),
                        1 => format!("{{\"download_URL\":{url},\"download_URL\":{url},\"export_type\":7}}"),
                        2 => format!("[{url},{kind}]"),
                        _ => format!("{{\"download_URL\":{url},\"export_type\":{kind}}}"),
                    }
                })
                .collect();
            let ready = pick_one(rng, &["true", "true", "true", "false", "null", "\"yes\"", "1"]);
            format!("{{\"avatar_ready\":{ready},\"payload_complete\":[{}]}}", entries.join(","))
        }
    };
    corrupt_body(rng, json.into_bytes())
}

/// As a bad line, a bad proxy or a bad heart leaves it.
fn corrupt_body(rng: &mut Rng, mut body: Vec<u8>) -> Vec<u8> {
    match rng.random_range(0..20) {
        0 => body.truncate(rng.random_range(0..=body.len())),
        1 => body.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
        2 => body.splice(0..0, *b"\xff\xfe\0").for_each(drop),
        3 => body.extend(b"trailing"),
        4 if !body.is_empty() => {
            for _ in 0..rng.random_range(1..8) {
                let at = rng.random_range(0..body.len());
                body[at] = rng.random();
            }
        }
        5 => body = (0..rng.random_range(0..4000)).map(|_| rng.random()).collect(),
        6 => body.splice(0..0, *b"\x1f\x8b\x08\0").for_each(drop),
        _ => {}
    }
    body
}

/// A body under a head, on a connection.
fn random_act(rng: &mut Rng, body: &[u8]) -> ScriptedAct {
    let mut bytes = random_head(rng, body.len());
    bytes.extend_from_slice(body);
    match rng.random_range(0..48) {
        0 => {
            bytes.truncate(rng.random_range(0..=bytes.len()));
            ScriptedAct::Say(bytes)
        }
        1 => ScriptedAct::SayAndStay(bytes),
        2 => {
            bytes.truncate(rng.random_range(0..=bytes.len()));
            ScriptedAct::SayAndStay(bytes)
        }
        3 => ScriptedAct::Reset(bytes),
        4 => ScriptedAct::Drip(bytes.into_iter().take(200).collect()),
        5 => ScriptedAct::Repeat(bytes, b" ".to_vec()),
        6 => ScriptedAct::Repeat(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-Endless: header\r\n".to_vec()),
        7 => ScriptedAct::Repeat(Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        _ => ScriptedAct::Say(bytes),
    }
}

fn random_head(rng: &mut Rng, length: usize) -> Vec<u8> {
    let line = match rng.random_range(0..36) {
        0 => pick_one(
            rng,
            &[
                "HTTP/1.1 200\r\n",
                "HTTP/1.0 200 OK\r\n",
                "HTTP/9.9 200 OK\r\n",
                "HTTP/1.1 2 0 0\r\n",
                "ICY 200 OK\r\n",
                "HTTP/1.1 99 Low\r\n",
                "HTTP/1.1 999 High\r\n",
                "HTTP/1.1 -1 No\r\n",
                "\r\n\r\n",
                "HTTP/1.1 200 \u{202e}\r\n",
            ],
        )
        .to_owned(),
        1 => format!("HTTP/1.1 {} X\r\n", rng.random_range(100..600)),
        _ => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    let mut head = line.into_bytes();
    let length = length.to_string();
    let framing = match rng.random_range(0..48) {
        0 => "content-length: -1".to_owned(),
        1 => format!("content-length: {length}\r\ncontent-length: {length}7"),
        2 => "content-length: 99999999999999999999999999".to_owned(),
        3 => "content-length: 18446744073709551615".to_owned(),
        4 => format!("content-length: +{length}"),
        5 => format!("content-length: {length}, {length}"),
        6 => "transfer-encoding: chunked".to_owned(),
        7 => format!("transfer-encoding: chunked\r\ncontent-length: {length}"),
        8 => "transfer-encoding: gzip, chunked, identity".to_owned(),
        9 => "x: y".to_owned(),
        _ => format!("content-length: {length}"),
    };
    head.extend(framing.as_bytes());
    head.extend(b"\r\n");
    for _ in 0..rng.random_range(0_usize..6).saturating_sub(3) {
        head.extend(random_header(rng));
        head.extend(b"\r\n");
    }
    head.extend(b"\r\n");
    if framing == "transfer-encoding: chunked" {
        head.extend(
            pick_one(
                rng,
                &[
                    "ffffffffffffffff\r\n",
                    "fffffffffffffffff\r\n",
                    "-1\r\n",
                    "0\r\nX: y\r\n\r\n",
                    "5;ext=\"\r\n\"\r\n",
                    "zz\r\n",
                    "",
                ],
            )
            .bytes(),
        );
    }
    head
}

fn random_header(rng: &mut Rng) -> Vec<u8> {
    let fixed: &[&[u8]] = &[
        b"retry-after: -1",
        b"retry-after: 99999999999999999999",
        b"retry-after: 0",
        b"retry-after: Thu, 01 Jan 1970 00:00:00 GMT",
        b"location: /elsewhere",
        b"location: file:///etc/passwd",
        b"location: \xff\xfe",
        b"content-encoding: gzip",
        b"content-encoding: br, gzip",
        b"content-range: bytes 5-1/0",
        b"content-range: bytes 0-18446744073709551615/18446744073709551615",
        b"etag: \"\xff\"",
        b"etag: W/",
        b"last-modified: \x01",
        b"no colon at all",
        b"bad name : x",
        b": empty",
        b"x:\x00y",
        b"x: a\rb",
        b" folded: line",
        b"set-cookie: a=b; path=/../..",
        b"connection: close, upgrade\r\nupgrade: h2c",
        b"date: yesterday",
        b"content-type: text/html; charset=\xff",
    ];
    match rng.random_range(0..20) {
        0 => [b"x-long: ".to_vec(), vec![b'a'; rng.random_range(1..200_000)]].concat(),
        1 => b"x-many: y\r\n".repeat(rng.random_range(1..3000)),
        _ => pick_one(rng, fixed).to_vec(),
    }
}
