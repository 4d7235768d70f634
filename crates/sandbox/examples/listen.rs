//! Starts a sandbox on the port given (8787 when none is), prints its URL, API key and session token, and plays until
//! Ctrl-C: `cargo run -p sandbox --example listen`.

use sandbox::{Server, Settings};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8787), |port| port.parse())?;
    let server = Server::start(Settings::default(), ([127, 0, 0, 1], port).into()).await?;
    let known = server.sandbox().credentials();
    // The sandbox's own credentials, made at its start: they open nothing else.
    println!("{} {} {}", server.url(), known.api_key.expose(), known.session_token.expose());
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}
