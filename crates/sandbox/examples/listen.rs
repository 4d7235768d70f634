//! Starts a sandbox on the port given (8787 when none is) and plays until Ctrl-C: `cargo run -p sandbox --example listen`.

use sandbox::{Server, Settings};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(8787), |port| port.parse())?;
    let server = Server::start(Settings::default(), ([127, 0, 0, 1], port).into()).await?;
    println!("{}", server.url());
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}
