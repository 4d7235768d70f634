//! Compares the committed OpenAPI document with the served one.

use crate::support::TestSandbox;
use copresence_sandbox::{BuiltInScenarioName, Endpoint};
use std::path::Path;

#[tokio::test]
async fn committed_openapi_document_is_the_served_one() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"));
    let served = TestSandbox::new(BuiltInScenarioName::Happy).get("/openapi.json", &[]).await.json();
    let pretty = serde_json::to_string_pretty(&served).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &pretty).expect("written");
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept.replace("\r\n", "\n") == pretty,
        "the API has changed; renew the document: UPDATE_OPENAPI=1 cargo test -p copresence-sandbox --test it openapi"
    );
}

#[tokio::test]
async fn every_endpoint_of_faults_is_documented() {
    let served = TestSandbox::new(BuiltInScenarioName::Happy).get("/openapi.json", &[]).await.json();
    for (_, word, method, path) in Endpoint::ALL {
        let documented = served["paths"]
            .as_object()
            .expect("paths")
            .iter()
            .any(|(known, methods)| known.starts_with(path) && methods.get(method.to_lowercase()).is_some());
        assert!(documented, "{word}: {method} {path}");
    }
}
