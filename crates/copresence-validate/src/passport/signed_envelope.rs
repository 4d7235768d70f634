//! The envelope of a signed document: DSSE, the Dead Simple Signing Envelope of in-toto and Sigstore.
//!
//! The signature covers the bytes of the payload and its type, so that nothing depends on how JSON is written.

use super::signing_key::{PassportSignerPublicKey, PassportSigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Type of the payload: an in-toto statement.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// DSSE envelope of a passport: the content of its file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    payload_type: String,
    /// Base64 of the payload.
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

/// A signature of an [`Envelope`].
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    /// The public key, as [`PassportSignerPublicKey`] is written.
    keyid: String,
    /// Base64 of the signature.
    sig: String,
}

/// Why an envelope was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum EnvelopeError {
    /// The file is not an envelope with one signature of this kind; the reason.
    #[error("{0}")]
    NotAnEnvelope(String),
    /// The signature does not match.
    #[error("the signature does not match")]
    SignatureMismatch(PassportSignerPublicKey),
}

/// Signs a payload. Returns the envelope as a line of JSON.
pub(super) fn sign_payload(payload: &[u8], key: &PassportSigningKey) -> String {
    let signature = key.sign_message(&encode_signed_message(payload));
    let envelope = Envelope {
        payload_type: PAYLOAD_TYPE.to_owned(),
        payload: STANDARD.encode(payload),
        signatures: vec![EnvelopeSignature {
            keyid: key.public_signer_key().to_string(),
            sig: STANDARD.encode(signature),
        }],
    };
    // Cannot fail: it contains only strings.
    let mut text = serde_json::to_string(&envelope).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads an envelope, and checks its signature against the public key in it. Returns the payload and that key.
pub(super) fn parse_envelope_and_verify_signature(
    text: &[u8],
) -> Result<(Vec<u8>, PassportSignerPublicKey), EnvelopeError> {
    let refuse = |why: String| EnvelopeError::NotAnEnvelope(why);
    let envelope: Envelope = serde_json::from_slice(text).map_err(|error| refuse(error.to_string()))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(refuse(format!("the payload type is not {PAYLOAD_TYPE}")));
    }
    let [signature] = envelope.signatures.as_slice() else {
        return Err(refuse(format!("it has {} signatures instead of one", envelope.signatures.len())));
    };
    let signer: PassportSignerPublicKey =
        signature.keyid.parse().map_err(|_| refuse("`keyid` is no Ed25519 key".to_owned()))?;
    let payload = STANDARD.decode(&envelope.payload).map_err(|error| refuse(format!("payload: {error}")))?;
    let sig = STANDARD.decode(&signature.sig).map_err(|error| refuse(format!("sig: {error}")))?;
    if !signer.verify_signature(&encode_signed_message(&payload), &sig) {
        return Err(EnvelopeError::SignatureMismatch(signer));
    }
    Ok((payload, signer))
}

/// What is signed: the pre-authentication encoding of DSSE, version 1.
fn encode_signed_message(payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_character_of_an_envelope_is_noticed() {
        let (key, _) = PassportSigningKey::generate_key_and_pem().expect("a key");
        let text = sign_payload(br#"{"a":1}"#, &key);
        assert_eq!(
            parse_envelope_and_verify_signature(text.as_bytes()),
            Ok((br#"{"a":1}"#.to_vec(), key.public_signer_key()))
        );
        for index in 0..text.trim_end().len() {
            let mut changed = text.clone().into_bytes();
            changed[index] ^= 1;
            assert!(
                parse_envelope_and_verify_signature(&changed).is_err(),
                "{index}: {}",
                String::from_utf8_lossy(&changed)
            );
        }
    }

    #[test]
    fn white_space_around_the_json_does_not_matter() {
        let (key, _) = PassportSigningKey::generate_key_and_pem().expect("a key");
        let text = sign_payload(b"{}", &key);
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let reformatted = serde_json::to_string_pretty(&value).expect("JSON").replace('\n', "\r\n");
        assert_eq!(
            parse_envelope_and_verify_signature(reformatted.as_bytes()),
            Ok((b"{}".to_vec(), key.public_signer_key()))
        );
    }
}
