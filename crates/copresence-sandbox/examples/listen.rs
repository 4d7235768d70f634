//! Starts a sandbox on a port (default 8787), prints its URL, API key and session token, and serves until Ctrl-C:
//! `cargo run -p copresence-sandbox --example listen`.

use copresence_sandbox::{SandboxSettings, Server};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8787), |port| port.parse())?;
    let server = Server::start(SandboxSettings::default(), ([127, 0, 0, 1], port).into()).await?;
    let known = server.sandbox().accepted_credentials();
    // Generated at the start, and valid for this sandbox only.
    println!("{} {} {}", server.local_url(), known.api_key.expose(), known.session_token.expose());
    tokio::signal::ctrl_c().await?;
    server.shut_down_server().await;
    Ok(())
}
