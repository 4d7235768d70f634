//! The active list of faults: validation, counts and random selection.

use super::fault::{Effect, Endpoint, Fault, NthRequests, RequestAttributes, RetryAfter};
use axum::http::{HeaderName, HeaderValue};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// Maximum number of faults in a list.
pub const MAX_FAULTS: usize = 1_000;

/// Maximum delay: an hour, in milliseconds.
const MAX_DELAY_MS: u64 = 60 * 60 * 1_000;

/// Maximum number of bytes sent after the promised end.
const MAX_EXCESS_BYTES: i64 = 1024 * 1024;

/// Maximum length of a garbage body, in bytes (1 GiB).
const MAX_GARBAGE_BYTES: u64 = 1024 * 1024 * 1024;

/// Maximum length of the part of a message that may quote the list, in characters.
const MAX_QUOTE_LEN: usize = 300;

/// Why a list of faults is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultListError {
    /// The JSON does not have the form of a list of faults.
    #[error(
        "the list of faults is invalid at {at}: {problem}; a list is [{{\"on\":…,\"nth\":…,\"do\":…}}], and `copresence sandbox --list-faults` describes all faults"
    )]
    InvalidJson {
        /// Where in the list, e.g. `[0].do.status.code`.
        at: String,
        /// What is wrong there.
        problem: String,
    },
    /// A fault is invalid.
    #[error("fault [{index}] of the list ({name} on {on}) is invalid: {problem}")]
    InvalidFault {
        /// Its index in the list, from 0.
        index: usize,
        /// Its effect.
        name: &'static str,
        /// Its endpoint.
        on: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The list is too long.
    #[error("a list holds at most {MAX_FAULTS} faults, not {0}; use \"every\", a rate, or several numbers in `nth`")]
    TooMany(usize),
}

/// An active fault with its counts.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = FaultState)]
pub struct FaultWithCounts {
    /// The fault.
    pub fault: Fault,
    /// How many requests it matched since the list was set.
    pub seen: u64,
    /// How many of these requests it was applied to.
    pub struck: u64,
}

/// Parses and checks a list of faults.
///
/// # Errors
/// The JSON is malformed, or a fault is invalid; the message says where.
pub fn parse_and_check_faults(json: &[u8]) -> Result<Vec<Fault>, FaultListError> {
    let from = &mut serde_json::Deserializer::from_slice(json);
    let faults: Vec<Fault> = serde_path_to_error::deserialize(&mut *from).map_err(|error| {
        let at = match error.path().to_string() {
            path if path == "." => "its start".to_owned(),
            path => shorten_quoted_list_in_message(&path),
        };
        FaultListError::InvalidJson { at, problem: shorten_quoted_list_in_message(&error.into_inner().to_string()) }
    })?;
    from.end().map_err(|error| FaultListError::InvalidJson { at: "its end".to_owned(), problem: error.to_string() })?;
    check_faults(&faults)?;
    Ok(faults)
}

/// Checks the number of the faults, and each fault; the error says which one is invalid.
fn check_faults(faults: &[Fault]) -> Result<(), FaultListError> {
    if faults.len() > MAX_FAULTS {
        return Err(FaultListError::TooMany(faults.len()));
    }
    for (index, fault) in faults.iter().enumerate() {
        fault.check_fault().map_err(|problem| FaultListError::InvalidFault {
            index,
            name: fault.effect.effect_name(),
            on: fault.on.endpoint_name(),
            problem: shorten_quoted_list_in_message(&problem),
        })?;
    }
    Ok(())
}

/// Shortens a text that quotes the list in its middle: its ends say what is wrong, and where.
fn shorten_quoted_list_in_message(text: &str) -> String {
    let length = text.chars().count();
    if length <= MAX_QUOTE_LEN {
        return text.to_owned();
    }
    let start: String = text.chars().take(MAX_QUOTE_LEN / 2).collect();
    let end: String = text.chars().skip(length - MAX_QUOTE_LEN / 2).collect();
    format!("{start} … {end}")
}

/// The active list of faults, with counts.
#[derive(Debug)]
pub(crate) struct FaultSet {
    seed: u64,
    faults: Vec<CountedFault>,
}

/// An active fault, how many requests it matched (`seen`) and how many it was applied to (`struck`).
#[derive(Debug)]
struct CountedFault {
    fault: Arc<Fault>,
    seen: u64,
    struck: u64,
}

impl CountedFault {
    fn new(fault: Fault) -> Self {
        Self { fault: Arc::new(fault), seen: 0, struck: 0 }
    }
}

/// A fault to apply to one request, with its own random numbers.
#[derive(Debug)]
pub(crate) struct SelectedFault {
    pub(crate) fault: Arc<Fault>,
    pub(crate) rng: ChaCha8Rng,
}

impl FaultSet {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, faults: Vec::new() }
    }

    /// The faults of a token's scenario, which were checked. Their random numbers differ from those of other tokens.
    pub(crate) fn faults_of_token_scenario(seed: u64, token_ordinal: u64, faults: &[Fault]) -> Self {
        let faults = faults.iter().cloned().map(CountedFault::new).collect();
        Self { seed: seed.wrapping_add(token_ordinal), faults }
    }

    /// Replaces all faults, and restarts all counts at 0.
    pub(crate) fn replace_faults(&mut self, faults: Vec<Fault>) -> Result<(), FaultListError> {
        check_faults(&faults)?;
        self.faults = faults.into_iter().map(CountedFault::new).collect();
        Ok(())
    }

    /// Adds a fault. The counts of the others continue.
    pub(crate) fn add_fault(&mut self, fault: Fault) -> Result<(), FaultListError> {
        if self.faults.len() >= MAX_FAULTS {
            return Err(FaultListError::TooMany(self.faults.len() + 1));
        }
        check_faults(std::slice::from_ref(&fault))?;
        self.faults.push(CountedFault::new(fault));
        Ok(())
    }

    /// Every active fault, with how many requests it matched and how many it was applied to.
    pub(crate) fn active_faults_with_counts(&self) -> Vec<FaultWithCounts> {
        let state = |CountedFault { fault, seen, struck }: &CountedFault| FaultWithCounts {
            fault: (**fault).clone(),
            seen: *seen,
            struck: *struck,
        };
        self.faults.iter().map(state).collect()
    }

    /// Whether there is no active fault.
    pub(crate) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// Counts a request, and returns the faults to apply to it.
    pub(crate) fn count_request_returning_its_faults(
        &mut self,
        attributes: &RequestAttributes<'_>,
    ) -> Vec<SelectedFault> {
        let mut selected = Vec::new();
        for (index, counted) in self.faults.iter_mut().enumerate() {
            if !counted.fault.matches_request(attributes) {
                continue;
            }
            counted.seen += 1;
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(((index as u64) << 48) ^ counted.seen);
            let applies = match &counted.fault.nth {
                NthRequests::Every => true,
                NthRequests::Numbers(numbers) => numbers.contains(&counted.seen),
                NthRequests::RequestProbability(rate) => rng.random_bool(*rate),
            };
            if applies {
                counted.struck += 1;
                selected.push(SelectedFault { fault: counted.fault.clone(), rng });
            }
        }
        selected
    }
}

impl Fault {
    /// Checks all fields of this fault; the error says what is wrong and what to do.
    pub(crate) fn check_fault(&self) -> Result<(), String> {
        if self.on != Endpoint::File {
            let selectors = [
                (self.file.is_some(), "file"),
                (self.export_type.is_some(), "export_type"),
                (self.ranged.is_some(), "ranged"),
            ];
            if let Some((_, name)) = selectors.into_iter().find(|(given, _)| *given) {
                return Err(format!("`{name}` is for downloads; leave it out, or use \"on\":\"file\""));
            }
        }
        if self.on != Endpoint::Redeem && self.ready.is_some() {
            return Err("`ready` is for redeems; leave it out, or use \"on\":\"redeem\"".to_owned());
        }
        let possible = self.effect.catalogue_entry().endpoints;
        if !possible.contains(&self.on) {
            let words: Vec<_> = possible.iter().map(|on| on.endpoint_name()).collect();
            return Err(format!("it applies only to {}", words.join(", ")));
        }
        match &self.nth {
            NthRequests::Numbers(numbers) if numbers.is_empty() => {
                return Err("`nth` is an empty list, so the fault never applies; add a number from 1".to_owned());
            }
            NthRequests::Numbers(numbers) if numbers.contains(&0) => {
                return Err("`nth` counts from 1; there is no request 0".to_owned());
            }
            NthRequests::Numbers(numbers) if numbers.iter().any(|number| i64::try_from(*number).is_err()) => {
                return Err(format!("`nth` is at most {}", i64::MAX));
            }
            NthRequests::RequestProbability(rate) if !(0.0..=1.0).contains(rate) => {
                return Err(format!("`rate` is a probability from 0 to 1, not {rate}"));
            }
            _ => {}
        }
        self.effect.check_effect_parameters()
    }
}

impl Effect {
    /// Checks the parameters of the effect; the error says what is wrong and what to do.
    fn check_effect_parameters(&self) -> Result<(), String> {
        match self {
            Self::Status { code, retry_after, headers, .. } => {
                check_number_in_range("code", *code, 200, 599)?;
                if let Some(text) = retry_after.as_ref().map(RetryAfter::retry_after_header_value) {
                    check_header_value("retry_after", &text)?;
                }
                check_headers(headers)
            }
            Self::ErrorPage { code } => check_number_in_range("code", *code, 200, 599),
            Self::Redirect { to, code, .. } => {
                check_number_in_range("code", *code, 300, 399)?;
                check_header_value("to", to)
            }
            Self::Delay { ms, median_ms, sigma, .. } => check_delay(*ms, *median_ms, *sigma),
            Self::SlowBody { bytes_per_second: 0 } => {
                Err("`bytes_per_second` is at least 1; to send nothing, use cut_body by silence".to_owned())
            }
            Self::WrongLength { by: 0 } => Err("`by` 0 leaves the length correct; use another number".to_owned()),
            Self::WrongLength { by } if *by < -MAX_EXCESS_BYTES => {
                Err(format!("`by` is at least -{MAX_EXCESS_BYTES}, not {by}"))
            }
            Self::WrongRange { by: 0 } => Err("`by` 0 leaves the range correct; use another number".to_owned()),
            Self::Garbage { bytes: Some(bytes) } if *bytes > MAX_GARBAGE_BYTES => {
                Err(format!("`bytes` is at most {MAX_GARBAGE_BYTES}, not {bytes}; for an endless body, use huge"))
            }
            Self::Coded { coding, .. } => check_header_value("coding", coding),
            Self::Headers { set, remove } => {
                if set.is_empty() && remove.is_empty() {
                    return Err("`set` or `remove` must name at least one header".to_owned());
                }
                remove.iter().try_for_each(|header| check_header_name(header))?;
                check_headers(set)
            }
            _ => Ok(()),
        }
    }
}

/// Checks that a parameter is within these bounds, which are allowed values themselves.
fn check_number_in_range(what: &str, given: u16, least: u16, most: u16) -> Result<(), String> {
    if (least..=most).contains(&given) {
        Ok(())
    } else {
        Err(format!("`{what}` must be from {least} to {most}, not {given}"))
    }
}

/// Checks that exactly one of `ms` and `median_ms` is given, and that the delay is at most an hour.
fn check_delay(ms: Option<u64>, median_ms: Option<u64>, sigma: Option<f64>) -> Result<(), String> {
    let longest = match (ms, median_ms) {
        (Some(_), None) if sigma.is_some() => return Err("`sigma` requires `median_ms`".to_owned()),
        (Some(given), None) | (None, Some(given)) => given,
        _ => return Err("exactly one of `ms` and `median_ms` is required".to_owned()),
    };
    if longest > MAX_DELAY_MS {
        return Err(format!("a delay is at most an hour ({MAX_DELAY_MS} ms); to wait forever, use hang"));
    }
    if sigma.is_some_and(|sigma| !(0.0..=10.0).contains(&sigma)) {
        return Err("`sigma` is from 0 to 10".to_owned());
    }
    Ok(())
}

/// Checks that every name and value can be sent as a header.
fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), String> {
    headers.iter().try_for_each(|(header, text)| {
        check_header_name(header)?;
        check_header_value(header, text)
    })
}

/// Checks that a name is a valid HTTP header name.
fn check_header_name(header: &str) -> Result<(), String> {
    let known = HeaderName::from_bytes(header.as_bytes());
    known.map(|_| ()).map_err(|_| format!("`{header}` is not a valid header name"))
}

/// Checks that a text can be sent as a header value.
fn check_header_value(what: &str, text: &str) -> Result<(), String> {
    let known = HeaderValue::from_str(text);
    known.map(|_| ()).map_err(|_| format!("`{what}` cannot be sent in a header: {text:?}"))
}

/// Draws a delay in milliseconds: fixed, or log-normal around a median.
pub(crate) fn draw_delay_ms(ms: Option<u64>, median_ms: Option<u64>, sigma: Option<f64>, rng: &mut ChaCha8Rng) -> u64 {
    let Some(median) = median_ms else { return ms.unwrap_or(0) };
    #[expect(clippy::cast_precision_loss, reason = "at most an hour in milliseconds")]
    let logarithm = (median.max(1) as f64).ln();
    let drawn = rand_distr::LogNormal::new(logarithm, sigma.unwrap_or(1.0)).map(|spread| rng.sample(spread));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above 0; casts saturate")]
    // `check` rules out every other sigma.
    drawn.map_or(median, |drawn| drawn as u64).min(MAX_DELAY_MS)
}

#[cfg(test)]
mod tests {
    use super::super::CATALOGUE;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const REDEEM: RequestAttributes<'static> =
        RequestAttributes { endpoint: Endpoint::Redeem, ready: false, file: None, export_type: None, ranged: false };

    fn fault_set(json: &str) -> FaultSet {
        let mut set = FaultSet::new(7);
        set.replace_faults(parse_and_check_faults(json.as_bytes()).expect(json)).expect(json);
        set
    }

    fn applied_counts(set: &mut FaultSet, requests: usize) -> Vec<usize> {
        (0..requests).map(|_| set.count_request_returning_its_faults(&REDEEM).len()).collect()
    }

    #[test]
    fn every_catalogue_example_survives_a_round_trip() {
        for entry in &CATALOGUE {
            let list = format!("[{}]", entry.example);
            let faults = parse_and_check_faults(list.as_bytes()).expect(entry.name);
            assert_eq!(faults[0].effect.effect_name(), entry.name);
            assert!(entry.endpoints.contains(&faults[0].on));
            let written = serde_json::to_vec(&faults).expect("plain data");
            assert_eq!(parse_and_check_faults(&written).expect(entry.name), faults, "{}", entry.name);
        }
    }

    #[test]
    fn catalogue_covers_every_effect_and_parameter() {
        // The schema lists the variants and fields as serde reads them.
        let schema = serde_json::to_value(<Effect as utoipa::PartialSchema>::schema()).expect("JSON");
        let variants = schema["oneOf"].as_array().expect("an enum");
        assert_eq!(variants.len(), CATALOGUE.len());
        for variant in variants {
            let (name, body) = variant["properties"].as_object().expect("tagged").iter().next().expect("a name");
            let entry = CATALOGUE.iter().find(|entry| entry.name == name).expect(name);
            let fields: BTreeSet<&str> =
                body["properties"].as_object().into_iter().flatten().map(|(field, _)| field.as_str()).collect();
            let lines: BTreeSet<&str> = entry.parameters.iter().map(|parameter| parameter.name).collect();
            assert_eq!(fields, lines, "{name}");
        }
    }

    #[test]
    fn invalid_list_is_refused_with_position_and_reason() {
        for (list, says) in [
            ("{}", "its start"),
            ("[", "EOF"),
            ("[] x", "its end"),
            (r#"[{"on":"redeem","do":"rest"}]"#, "reset_after_spending"),
            (r#"[{"on":"redem","do":"reset"}]"#, "[0].on"),
            (r#"[{"on":"redeem","do":"status"}]"#, "missing field `code`"),
            (r#"[{"on":"redeem","do":{"status":{"code":"x"}}}]"#, "[0].do.status.code"),
            (r#"[{"on":"redeem","do":{"status":{"code":503,"after":1}}}]"#, "unknown field `after`"),
            (r#"[{"on":"redeem","nth":"some","do":"reset"}]"#, "\"every\""),
            (r#"[{"on":"redeem","nth":[0],"do":"reset"}]"#, "from 1"),
            (r#"[{"on":"redeem","nth":[],"do":"reset"}]"#, "never applies"),
            (r#"[{"on":"redeem","nth":{"rate":2},"do":"reset"}]"#, "0 to 1"),
            (r#"[{"on":"redeem","file":"avatar.glb","do":"reset"}]"#, "\"on\":\"file\""),
            (r#"[{"on":"redeem","do":"reset"},{"on":"redeem","do":"ignore_range"}]"#, "[1] of the list"),
            (r#"[{"on":"redeem","do":{"status":{"code":99}}}]"#, "200 to 599"),
            (r#"[{"on":"redeem","do":{"delay":{}}}]"#, "exactly one of `ms` and `median_ms`"),
            (r#"[{"on":"redeem","do":{"redirect":{"to":"a\nb"}}}]"#, "cannot be sent in a header"),
            (r#"[{"on":"redeem","do":{"headers":{"set":{"a b":"c"}}}}]"#, "not a valid header name"),
        ] {
            let error = parse_and_check_faults(list.as_bytes()).expect_err(list).to_string();
            assert!(error.contains(says), "{list}: {error}");
        }
    }

    #[test]
    fn each_fault_counts_its_own_requests() {
        let mut set = fault_set(r#"[{"on":"redeem","nth":[1,3],"do":"reset"},{"on":"login","nth":1,"do":"hang"}]"#);
        assert_eq!(applied_counts(&mut set, 4), [1, 0, 1, 0]);
        let state = set.active_faults_with_counts();
        assert_eq!((state[0].seen, state[0].struck, state[1].seen), (4, 2, 0));
    }

    #[test]
    fn adding_a_fault_keeps_the_counts_of_others() {
        let mut set = fault_set(r#"[{"on":"redeem","nth":1,"do":"reset"}]"#);
        assert_eq!(applied_counts(&mut set, 2), [1, 0]);
        let next = crate::faults::catalogue_fault_for_endpoint("hang", Endpoint::Redeem, NthRequests::Numbers(vec![1]))
            .expect("a fault");
        set.add_fault(next).expect("a valid fault");
        assert_eq!(
            applied_counts(&mut set, 2),
            [1, 0],
            "the new fault applies to the next request, the old one to none"
        );
        assert_eq!(set.active_faults_with_counts().iter().map(|state| state.struck).collect::<Vec<_>>(), [1, 1]);
        let never = Fault { nth: NthRequests::Numbers(vec![0]), ..(*set.faults[0].fault).clone() };
        assert!(set.add_fault(never).is_err());
        assert_eq!(set.active_faults_with_counts().len(), 2);
    }

    #[test]
    fn file_is_matched_by_name_type_and_range() {
        let mut set = fault_set(
            r#"[{"on":"file","file":"avatar.glb","do":"hang"},{"on":"file","export_type":"png","do":"hang"},
                {"on":"file","ranged":true,"do":"hang"}]"#,
        );
        let mut applied_count = |file, export_type, ranged| {
            let attributes = RequestAttributes {
                endpoint: Endpoint::File,
                ready: false,
                file: Some(file),
                export_type: Some(export_type),
                ranged,
            };
            set.count_request_returning_its_faults(&attributes).len()
        };
        assert_eq!(applied_count("avatar.glb", "glb", false), 1);
        assert_eq!(applied_count("avatar.glb", "glb", true), 2);
        assert_eq!(applied_count("portrait.png", "png", false), 1);
        assert_eq!(applied_count("avatar_obj.zip", "obj", false), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn rate_is_met_and_reproducible(rate in 0.0_f64..=1.0) {
            let list = format!(r#"[{{"on":"redeem","nth":{{"rate":{rate}}},"do":"reset"}}]"#);
            let (mut first, mut second) = (fault_set(&list), fault_set(&list));
            let applied = applied_counts(&mut first, 2_000);
            prop_assert_eq!(&applied, &applied_counts(&mut second, 2_000));
            #[expect(clippy::cast_precision_loss, reason = "at most 2,000")]
            let share = applied.iter().sum::<usize>() as f64 / 2_000.0;
            // Five standard deviations.
            prop_assert!((share - rate).abs() < 0.06, "{} against {}", share, rate);
        }

        #[test]
        fn random_delays_are_around_their_median(seed: u64) {
            let draw = |n: u64| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(n);
                draw_delay_ms(None, Some(1_000), Some(0.5), &mut rng)
            };
            let below = (0..400).filter(|n| draw(*n) < 1_000).count();
            prop_assert!((140..260).contains(&below), "{}", below);
            prop_assert!((0..400).any(|n| draw(n) != draw(0)));
        }
    }
}
