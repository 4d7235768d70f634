//! The key that signs passports, and how people write down keys.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::str::FromStr;

/// In front of a public key that is written down.
const PUBLIC_KEY_PREFIX: &str = "ed25519:";
/// Length of an Ed25519 public key, in bytes.
const PUBLIC_KEY_LENGTH: usize = 32;

/// A private Ed25519 key that signs passports.
pub struct PassportSigningKey(Ed25519KeyPair);

/// A public Ed25519 key, which tells who signed a passport. Written as `ed25519:` and its 32 bytes in Base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassportSignerPublicKey([u8; PUBLIC_KEY_LENGTH]);

/// Why a passport key cannot be parsed or generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassportKeyError {
    /// The text is not a private key.
    #[error(
        "it is not an Ed25519 private key in PKCS#8 form (PEM, or its Base64 on one line), as \
         `openssl genpkey -algorithm ed25519` prints it"
    )]
    NotPrivateKey,
    /// The text is not a public key.
    #[error("it is not a public key as `copresence validate --passport` prints it: `ed25519:` and 44 characters")]
    NotPublicKey,
    /// No key can be generated, because the system has no random numbers.
    #[error("no key can be generated: the system gives no random numbers")]
    NoRandomNumbers,
}

impl fmt::Debug for PassportSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PassportSigningKey").field(&self.public_signer_key()).finish()
    }
}

impl PassportSigningKey {
    /// Generates a key. Returns it, and its text for [`PassportSigningKey::parse_private_key`]: PKCS#8 in PEM.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate_key_and_pem() -> Result<(Self, SecretString), PassportKeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| PassportKeyError::NoRandomNumbers)?;
        let document = pair.to_pkcs8v1().map_err(|_| PassportKeyError::NoRandomNumbers)?;
        let text = STANDARD.encode(document.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----");
        Ok((Self(pair), SecretString::from(pem)))
    }

    /// Parses a private key: PKCS#8 in PEM, or the Base64 of PKCS#8 on one line.
    ///
    /// # Errors
    /// The text is none of these, or the key is not an Ed25519 key.
    pub fn parse_private_key(text: &SecretString) -> Result<Self, PassportKeyError> {
        let text = text.expose_secret().trim();
        let pair = if text.contains("-----BEGIN") {
            let der =
                PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| PassportKeyError::NotPrivateKey)?;
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
        } else {
            let der = zeroize::Zeroizing::new(STANDARD.decode(text).map_err(|_| PassportKeyError::NotPrivateKey)?);
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
        };
        pair.map(Self).map_err(|_| PassportKeyError::NotPrivateKey)
    }

    /// The public key by which readers recognise what this key signed.
    pub fn public_signer_key(&self) -> PassportSignerPublicKey {
        let mut bytes = [0; PUBLIC_KEY_LENGTH];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PassportSignerPublicKey(bytes)
    }

    /// Signs a message: 64 bytes.
    pub fn sign_message(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

impl PassportSignerPublicKey {
    /// Whether the signature of a message was made with the private key that belongs to this key.
    pub(super) fn verify_signature(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PassportSignerPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_KEY_PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl FromStr for PassportSignerPublicKey {
    type Err = PassportKeyError;

    fn from_str(text: &str) -> Result<Self, PassportKeyError> {
        let encoded = text.trim().strip_prefix(PUBLIC_KEY_PREFIX).ok_or(PassportKeyError::NotPublicKey)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| PassportKeyError::NotPublicKey)?;
        bytes.try_into().map(Self).map_err(|_| PassportKeyError::NotPublicKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_parsed_from_its_text_with_and_without_armour() {
        let (key, text) = PassportSigningKey::generate_key_and_pem().expect("a key");
        let line = text.expose_secret().lines().nth(1).expect("a line").to_owned();
        for text in [text, SecretString::from(line)] {
            let parsed = PassportSigningKey::parse_private_key(&text).expect("a key");
            assert_eq!(parsed.public_signer_key(), key.public_signer_key());
            assert!(key.public_signer_key().verify_signature(b"message", &parsed.sign_message(b"message")));
            assert!(!key.public_signer_key().verify_signature(b"another", &parsed.sign_message(b"message")));
        }
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_public_key_is_written_and_read_and_anything_else_is_refused() {
        let signer = PassportSigningKey::generate_key_and_pem().expect("a key").0.public_signer_key();
        assert_eq!(signer.to_string().parse(), Ok(signer));
        for text in ["", "ed25519:", "ed25519:AAAA", &signer.to_string()[8..]] {
            assert_eq!(text.parse::<PassportSignerPublicKey>(), Err(PassportKeyError::NotPublicKey), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_private_key_is_refused_without_repeating_it() {
        let rsa = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----";
        for text in ["", "hunter2", rsa, "-----BEGIN PRIVATE KEY-----"] {
            let refused = PassportSigningKey::parse_private_key(&SecretString::from(text)).expect_err("no key");
            assert_eq!(refused, PassportKeyError::NotPrivateKey, "{text}");
        }
    }
}
