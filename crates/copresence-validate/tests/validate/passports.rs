//! Passports: signed, judged again from their evidence, and refused once something is wrong.

use crate::layers::{REDEEM, change_responses};
use crate::support::{
    new_sandbox, run_checks, run_options, sandbox_credentials, sandbox_phone, serve_router, vendor_target,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use copresence_validate::passport::{
    MAX_PASSPORT_BYTES, PassportInvalidityReason, PassportRefusal, PassportSigningKey, RejudgedPassport,
    passport_schema, sign_passport,
};
use copresence_validate::{Level, Report};
use jiff::Timestamp;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A run at a sandbox that caches redeems, and everything that its passport states.
struct Signed {
    key: PassportSigningKey,
    text: String,
}

async fn sign_passport_of_sandbox(is_cached: bool) -> Signed {
    let sandbox = new_sandbox();
    let app = change_responses(copresence_sandbox::build_router(sandbox.clone()), move |request, response| {
        if is_cached && request.path == REDEEM {
            response.set_header("cache-control", "public");
        }
    });
    let backend = serve_router(app).await;
    let target = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    let options = run_options();
    let (plan, ended) = run_checks(&target, &options, &sandbox_phone(&backend.url).await).await;
    let report = Report::new(&target, &options, &plan, &ended, (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH));
    let (key, _) = PassportSigningKey::generate_key_and_pem().expect("a key");
    let signed = sign_passport(&report, &ended, &key).expect("signed");
    assert_eq!(signed.differences, Vec::new());
    Signed { key, text: signed.text }
}

impl Signed {
    fn payload(&self) -> Value {
        let envelope: Value = serde_json::from_str(&self.text).expect("JSON");
        let payload = STANDARD.decode(envelope["payload"].as_str().expect("a text")).expect("Base64");
        serde_json::from_slice(&payload).expect("JSON")
    }

    /// The same passport with a changed statement, signed again by the same key, and verified.
    fn change_and_sign(&self, change: impl FnOnce(&mut Value)) -> Result<RejudgedPassport, PassportRefusal> {
        let mut statement = self.payload();
        change(&mut statement);
        let text = sign_statement(&self.key, &statement);
        RejudgedPassport::verify_and_rejudge_passport(text.as_bytes())
    }
}

/// Signs any statement as a passport is signed, by the documented format.
fn sign_statement(key: &PassportSigningKey, statement: &Value) -> String {
    let (kind, payload) = ("application/vnd.in-toto+json", statement.to_string());
    let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
    let signature = STANDARD.encode(key.sign_message(message.as_bytes()));
    let signatures = serde_json::json!([{"keyid": key.public_signer_key().to_string(), "sig": signature}]);
    serde_json::json!({"payloadType": kind, "payload": STANDARD.encode(payload), "signatures": signatures}).to_string()
}

/// Renews the digest of the evidence after a change.
fn renew_evidence_digest(statement: &mut Value) {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(statement["predicate"]["evidence"].to_string().as_bytes());
    let hex = digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    statement["subject"][0]["digest"]["sha256"] = hex.into();
}

#[tokio::test]
async fn a_passport_matches_its_schema_and_gives_the_same_verdicts_again() {
    let signed = sign_passport_of_sandbox(false).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("passport.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, passport_schema()).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("the schema is committed");
    assert_eq!(committed, passport_schema(), "update it: UPDATE_SCHEMA=1 cargo test -p copresence-validate schema");
    let validator = jsonschema::validator_for(&serde_json::from_str(&committed).expect("JSON")).expect("a schema");
    let statement = signed.payload();
    let errors: Vec<_> = validator.iter_errors(&statement).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert!(!validator.is_valid(&serde_json::json!({})), "the schema accepts anything");

    let verified = RejudgedPassport::verify_and_rejudge_passport(signed.text.as_bytes()).expect("authentic");
    // A slow machine may fail a recommended check of response times.
    assert_eq!(verified.find_first_problem(Some(&signed.key.public_signer_key()), Level::Must), None);
    assert_eq!(verified.coverage.judged_requirements_percent(), 100);
    assert!(verified.step_count > 30, "{}", verified.step_count);
    let files = statement["subject"].as_array().expect("a list").iter().filter(|subject| subject["name"] != "evidence");
    assert_eq!(files.count(), 3, "{}", statement["subject"]);
}

#[tokio::test]
async fn each_reason_to_distrust_a_passport_is_told_apart() {
    let signed = sign_passport_of_sandbox(true).await;
    let verified = RejudgedPassport::verify_and_rejudge_passport(signed.text.as_bytes()).expect("authentic");
    assert_eq!(verified.find_first_problem(None, Level::Must), None, "a failed SHOULD alone");
    assert_eq!(verified.find_first_problem(None, Level::Should), Some(PassportInvalidityReason::CheckFailed));
    let (stranger, _) = PassportSigningKey::generate_key_and_pem().expect("a key");
    assert_eq!(
        verified.find_first_problem(Some(&stranger.public_signer_key()), Level::Must),
        Some(PassportInvalidityReason::OtherSigner)
    );

    // A changed character of the payload, the signature or the key.
    for index in (0..signed.text.trim_end().len()).step_by(997) {
        let mut changed = signed.text.clone().into_bytes();
        changed[index] ^= 1;
        let refused = RejudgedPassport::verify_and_rejudge_passport(&changed).expect_err("changed");
        assert!(matches!(refused, PassportRefusal::Altered(_) | PassportRefusal::NotAPassport(_)), "{refused}");
    }
    let key = signed.key.public_signer_key().to_string();
    let other = signed.text.replace(&key, &stranger.public_signer_key().to_string());
    let refused = RejudgedPassport::verify_and_rejudge_passport(other.as_bytes()).expect_err("not signed by that key");
    assert_eq!(refused, PassportRefusal::Altered(stranger.public_signer_key()));

    // Statements that their signer made up.
    let set_verdict = |statement: &mut Value| {
        let checks = statement["predicate"]["checks"].as_array_mut().expect("a list");
        checks.iter_mut().find(|check| check["id"] == "http.no-store").expect("a check")["verdict"] = "pass".into();
    };
    let lied = signed.change_and_sign(set_verdict).expect("signed");
    assert_eq!(lied.find_first_problem(None, Level::Must), Some(PassportInvalidityReason::VerdictsDiffer));
    assert_eq!(lied.verdict_differences[0].check, "http.no-store");
    let refused =
        signed.change_and_sign(|statement| statement["predicate"]["evidence"]["steps"] = Vec::<u8>::new().into());
    assert!(matches!(refused.expect_err("another digest"), PassportRefusal::Contradictory(_)));

    // An older table: it lacked a requirement, and had another sentence for one.
    let older = signed.change_and_sign(|statement| {
        let table = &mut statement["predicate"]["requirements"];
        table["version"] = 0.into();
        table["rows"].as_object_mut().expect("an object").remove("SAFE-2");
        table["rows"]["RED-8"] = "0".repeat(64).into();
    });
    let older = older.expect("signed");
    assert_eq!(older.find_first_problem(None, Level::Must), Some(PassportInvalidityReason::OtherRequirements));
    let difference = older.table_difference.expect("different");
    assert_eq!(
        (difference.signed_version, difference.added, difference.changed),
        (0, vec!["SAFE-2".to_owned()], vec!["RED-8".to_owned()])
    );

    let newer = signed.change_and_sign(|statement| statement["predicate"]["passport_version"] = 2.into());
    assert_eq!(newer.expect_err("newer"), PassportRefusal::NewerFormat(2));
    let other = signed.change_and_sign(|statement| statement["predicateType"] = "urn:another".into());
    assert!(matches!(other.expect_err("another kind"), PassportRefusal::NotAPassport(_)));
}

/// Judging is given up after a time, so that no evidence keeps the program busy for hours.
#[tokio::test]
async fn evidence_that_takes_too_long_to_judge_is_refused() {
    let signed = sign_passport_of_sandbox(false).await;
    let refused = RejudgedPassport::verify_passport_within_time_limit(signed.text.as_bytes(), Duration::ZERO);
    assert_eq!(refused.expect_err("given up"), PassportRefusal::TooSlow(Duration::ZERO));
}

/// A passport may have verdicts and content that no run has. It is never larger than a run's can be.
#[tokio::test]
async fn made_up_verdicts_differ_and_a_huge_passport_is_refused() {
    let signed = sign_passport_of_sandbox(false).await;
    let many = 3_000;
    let verified = signed.change_and_sign(|statement| {
        let checks = statement["predicate"]["checks"].as_array_mut().expect("a list");
        let mut one = checks[0].clone();
        (one["title"], one["detail"]) = ("".into(), "".into());
        checks.extend((0..many).map(|number| {
            let mut check = one.clone();
            check["id"] = format!("made-up.{number}").into();
            check
        }));
    });
    assert_eq!(verified.expect("signed").verdict_differences.len(), many);
    let junk = signed.change_and_sign(|statement| statement["junk"] = vec![Value::Array(Vec::new()); many].into());
    assert_eq!(junk.expect("signed").verdict_differences, Vec::new());
    let too_large = vec![b' '; MAX_PASSPORT_BYTES + 1];
    let refused = RejudgedPassport::verify_and_rejudge_passport(&too_large).expect_err("too large");
    assert!(refused.to_string().contains("larger than 32 MiB"), "{refused}");
}

/// A stranger may sign any evidence: it is judged or refused, and never ends the program.
#[tokio::test]
async fn made_up_evidence_is_refused_or_judged() {
    let signed = sign_passport_of_sandbox(false).await;
    let change_evidence = |change: fn(&mut Value)| {
        signed.change_and_sign(|statement| {
            change(&mut statement["predicate"]["evidence"]);
            renew_evidence_digest(statement);
        })
    };
    let refused: [fn(&mut Value); 6] = [
        // Each act judges the checks again.
        |evidence| {
            let acts = evidence["acts"].as_array_mut().expect("a list");
            let last = acts.iter().rfind(|act| !act["steps_so_far"].is_null()).cloned();
            acts.extend(last);
        },
        |evidence| evidence["steps"][3]["number"] = 4_000_000_000_u64.into(),
        |evidence| evidence["acts"][0]["steps_so_far"] = 4_000_000_000_u64.into(),
        |evidence| evidence["acts"][1]["steps_so_far"] = 0.into(),
        |evidence| evidence["steps"][0]["response"]["headers"][0]["value"] = "a\nb".into(),
        |evidence| evidence["steps"][0]["role"] = "a-role-of-tomorrow".into(),
    ];
    for (index, change) in refused.into_iter().enumerate() {
        let result = change_evidence(change).map(|verified| verified.step_count);
        assert!(matches!(result, Err(PassportRefusal::Contradictory(_))), "{index}: {result:?}");
    }
    let judged: [fn(&mut Value); 4] = [
        |evidence| evidence["files"] = Vec::<u8>::new().into(),
        |evidence| evidence["repeated_failures"] = vec![0, 7, usize::MAX].into(),
        |evidence| evidence["steps"][0]["url"] = "no URL".into(),
        |evidence| evidence["steps"][0]["duration_ns"] = u64::MAX.into(),
    ];
    for (index, change) in judged.into_iter().enumerate() {
        assert!(change_evidence(change).is_ok(), "{index}");
    }
}
