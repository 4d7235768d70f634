//! Runs Schemathesis, which generates requests from the OpenAPI document and checks the responses.
//!
//! `cargo xtask test` installs it and runs this; `SCHEMATHESIS` names the program.

use copresence_sandbox::{SandboxSettings, Server};
use std::process::Command;

/// The faults are tested separately, because those that Schemathesis sets would apply to its other requests.
const ROUNDS: [[&str; 2]; 2] = [["--exclude-path", "/sandbox/faults"], ["--include-path", "/sandbox/faults"]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Schemathesis; cargo xtask test installs it and runs this"]
async fn schemathesis_finds_no_error_in_the_api() {
    let program = std::env::var_os("SCHEMATHESIS").expect("SCHEMATHESIS names the program");
    for round in ROUNDS {
        let listen = "127.0.0.1:0".parse().expect("an address");
        let server = Server::start(SandboxSettings::default(), listen).await.expect("a free port");
        let known = server.sandbox().accepted_credentials();
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(&program);
        command.current_dir(folder.path());
        command.args(["--config-file", concat!(env!("CARGO_MANIFEST_DIR"), "/schemathesis.toml")]);
        command.args(["run", server.local_url().join("openapi.json").expect("a URL").as_str()]);
        // The sandbox's own credentials, generated for this test.
        for (name, value) in
            [(crate::support::API_KEY, known.api_key.expose()), (crate::support::SESSION, known.session_token.expose())]
        {
            command.args(["--header", &format!("{name}: {value}")]);
        }
        command.args(round).args(["--max-examples", "25", "--seed", "1", "--no-color"]);
        let run = tokio::task::spawn_blocking(move || command.output()).await.expect("run");
        let run = run.expect("Schemathesis runs");
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
        assert!(said.contains("Tested:"), "it asked nothing: {said}");
        server.shut_down_server().await;
    }
}
