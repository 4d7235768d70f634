//! One fault of a list, and its JSON form.

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use std::collections::BTreeMap;
use std::fmt;
use utoipa::ToSchema;

/// A fault: which requests it applies to, and what it does to them. See the [module](super).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The endpoint.
    pub on: Endpoint,
    /// Which of the requests. Default: all.
    #[serde(default)]
    #[schema(value_type = NthOpenApiSchema)]
    pub nth: NthRequests,
    /// `redeem` only: `true` for redeems that the backend answers with download URLs, `false` for all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// `file` only: downloads with this file name, e.g. `avatar.glb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// `file` only: downloads of this `export_type`, e.g. `glb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_type: Option<String>,
    /// `file` only: `true` for requests with a `Range` header, `false` for those without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranged: Option<bool>,
    /// What it does.
    #[serde(rename = "do", deserialize_with = "deserialize_effect_with_short_form")]
    #[schema(value_type = EffectOpenApiSchema)]
    pub effect: Effect,
}

/// An endpoint of the vendor's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `GET /redeemExportToken`.
    Redeem,
    /// `POST /generateExportToken`.
    Generate,
    /// `POST /login`.
    Login,
    /// `GET /files/…`.
    File,
}

/// Which of the requests, counted from 1: `[1,3]`, `1`, `"every"` or `{"rate":0.1}`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum NthRequests {
    /// Every request.
    #[default]
    Every,
    /// The requests with these numbers, from 1.
    Numbers(Vec<u64>),
    /// Each request with this probability, 0 to 1.
    RequestProbability(f64),
}

/// What a fault does. [`super::CATALOGUE`] describes the effects and their parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the catalogue documents every parameter, for `--list-faults` too")]
pub enum Effect {
    Status {
        #[schema(minimum = 200, maximum = 599)]
        code: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        #[serde(default, skip_serializing_if = "is_false")]
        spends: bool,
    },
    ErrorPage {
        #[serde(default = "default_error_page_status")]
        #[schema(minimum = 200, maximum = 599)]
        code: u16,
    },
    Redirect {
        to: String,
        #[serde(default = "default_redirect_status")]
        #[schema(minimum = 300, maximum = 399)]
        code: u16,
        #[serde(default, skip_serializing_if = "is_false")]
        spends: bool,
    },
    Delay {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ms: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        median_ms: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sigma: Option<f64>,
        #[serde(default, skip_serializing_if = "is_false")]
        spends: bool,
    },
    Hang {
        #[serde(default, skip_serializing_if = "is_false")]
        spends: bool,
    },
    Reset {},
    ResetAfterSpending {},
    CutBody {
        after: u64,
        #[serde(default)]
        by: BodyCutMethod,
    },
    SlowBody {
        #[schema(minimum = 1)]
        bytes_per_second: u64,
    },
    WrongLength {
        by: i64,
    },
    Huge {},
    Garbage {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    WrongShape {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        becomes: Option<FieldReplacement>,
    },
    Coded {
        #[serde(default = "default_content_coding")]
        coding: String,
        #[serde(default, skip_serializing_if = "is_false")]
        only_claimed: bool,
    },
    Headers {
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        set: BTreeMap<String, String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remove: Vec<String>,
    },
    IgnoreRange {},
    RefuseRange {},
    WrongRange {
        by: i64,
    },
    ChangedEtag {},
}

/// How a body ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = CutBy)]
#[serde(rename_all = "snake_case")]
pub enum BodyCutMethod {
    /// The connection is closed (FIN).
    #[default]
    Close,
    /// The connection is reset (RST).
    Reset,
    /// Nothing more is sent, and the connection stays open.
    Silence,
}

/// What a field is changed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Becomes)]
#[serde(rename_all = "snake_case")]
pub enum FieldReplacement {
    /// The field is removed.
    Missing,
    /// `null`.
    Null,
    /// A value of another JSON type.
    OtherType,
    /// A value of the same type that the specification does not allow.
    OutOfRange,
    /// This value.
    Value(serde_json::Value),
}

/// The value of `Retry-After`: seconds, or an HTTP date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u64),
    /// Any other text.
    Text(String),
}

/// The attributes of a request that faults are matched against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestAttributes<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) ready: bool,
    pub(crate) file: Option<&'a str>,
    pub(crate) export_type: Option<&'a str>,
    pub(crate) ranged: bool,
}

impl Fault {
    /// Creates a fault on every request of an endpoint, or on those that `nth` selects.
    pub fn new(on: Endpoint, nth: NthRequests, effect: Effect) -> Self {
        Self { on, nth, ready: None, file: None, export_type: None, ranged: None, effect }
    }

    /// Whether it applies to requests with these attributes.
    pub(crate) fn matches_request(&self, attributes: &RequestAttributes<'_>) -> bool {
        self.on == attributes.endpoint
            && self.ready.is_none_or(|ready| attributes.ready == ready)
            && self.file.as_deref().is_none_or(|file| attributes.file == Some(file))
            && self.export_type.as_deref().is_none_or(|kind| attributes.export_type == Some(kind))
            && self.ranged.is_none_or(|ranged| attributes.ranged == ranged)
    }
}

impl Endpoint {
    /// All endpoints that faults can apply to: name, method, and path (for `file`, the prefix of the path).
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 4] = [
        (Self::Redeem, "redeem", "GET", "/redeemExportToken"),
        (Self::Generate, "generate", "POST", "/generateExportToken"),
        (Self::Login, "login", "POST", "/login"),
        (Self::File, "file", "GET", "/files/"),
    ];

    /// The name of the endpoint in a list of faults, such as `redeem`.
    pub fn endpoint_name(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("?", |row| row.1)
    }

    /// The endpoint that a request goes to.
    pub(crate) fn endpoint_of_request(method: &str, path: &str) -> Option<Self> {
        let matches = |(endpoint, _, known, prefix): &(Self, &str, &str, &str)| {
            let path_matches = if *endpoint == Self::File { path.starts_with(prefix) } else { path == *prefix };
            *known == method && path_matches
        };
        Self::ALL.iter().find(|row| matches(row)).map(|row| row.0)
    }
}

impl RetryAfter {
    /// The value of the `Retry-After` header: seconds, or the text as configured.
    pub(crate) fn retry_after_header_value(&self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Whether a field has its default `false`, and is not written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The status of the effect `error_page` if none is given.
fn default_error_page_status() -> u16 {
    200
}

/// The status of the effect `redirect` if none is given.
fn default_redirect_status() -> u16 {
    302
}

/// The content coding of the effect `coded` if none is given.
fn default_content_coding() -> String {
    "gzip".to_owned()
}

/// Accepts `"reset"` as short for `{"reset":{}}`.
fn deserialize_effect_with_short_form<'de, D: Deserializer<'de>>(from: D) -> Result<Effect, D::Error> {
    /// Deserializes an effect: its name, or an object with its parameters.
    struct EffectVisitor;

    impl<'de> Visitor<'de> for EffectVisitor {
        type Value = Effect;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an effect, as \"reset\" or {\"status\":{\"code\":503}}")
        }

        /// Reads the name of an effect with its default parameters, as in `"reset"`.
        fn visit_str<E: de::Error>(self, word: &str) -> Result<Effect, E> {
            Effect::deserialize(serde_json::json!({ word: {} })).map_err(E::custom)
        }

        /// Reads an effect with parameters, as in `{"status":{"code":500}}`.
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Effect, A::Error> {
            Effect::deserialize(MapAccessDeserializer::new(map))
        }
    }

    from.deserialize_any(EffectVisitor)
}

impl Serialize for NthRequests {
    /// Writes `"every"`, a list of request numbers, or `{"rate":0.1}`.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Every => to.serialize_str("every"),
            Self::Numbers(numbers) => numbers.serialize(to),
            Self::RequestProbability(rate) => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry("rate", rate)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for NthRequests {
    /// Reads a request number, a list of them, `"every"` or `{"rate":0.1}`.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        /// The object `{"rate":0.1}` in `nth`: each request is hit with this probability.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Rate {
            rate: f64,
        }

        /// Deserializes which requests a fault applies to.
        struct NthRequestsVisitor;

        impl<'de> Visitor<'de> for NthRequestsVisitor {
            type Value = NthRequests;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 1, a list of them, \"every\" or {\"rate\":0.1}")
            }

            /// Reads one request number.
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<NthRequests, E> {
                Ok(NthRequests::Numbers(vec![number]))
            }

            /// Reads one request number of a TOML file, whose integers are signed.
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<NthRequests, E> {
                let number =
                    u64::try_from(number).map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))?;
                Ok(NthRequests::Numbers(vec![number]))
            }

            /// Reads the word `"every"`.
            fn visit_str<E: de::Error>(self, word: &str) -> Result<NthRequests, E> {
                if word == "every" {
                    Ok(NthRequests::Every)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(word), &self))
                }
            }

            /// Reads a list of request numbers, as in `[1,3]`.
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<NthRequests, A::Error> {
                let mut numbers = Vec::new();
                while let Some(number) = list.next_element()? {
                    numbers.push(number);
                }
                Ok(NthRequests::Numbers(numbers))
            }

            /// Reads a probability, as in `{"rate":0.1}`.
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NthRequests, A::Error> {
                Rate::deserialize(MapAccessDeserializer::new(map))
                    .map(|written| NthRequests::RequestProbability(written.rate))
            }
        }

        from.deserialize_any(NthRequestsVisitor)
    }
}

/// The JSON form of [`NthRequests`], for the OpenAPI document.
#[derive(ToSchema)]
#[schema(as = Nth)]
#[serde(untagged)]
#[expect(dead_code, reason = "read only by the schema generator")]
pub(crate) enum NthOpenApiSchema {
    /// The request with this number, from 1.
    One(u64),
    /// The requests with these numbers, from 1.
    These(Vec<u64>),
    /// Every request.
    Every(NthEveryKeywordOpenApiSchema),
    /// Each request with this probability.
    Rate(RateOpenApiSchema),
}

/// The word `"every"` in `nth`, for the OpenAPI document.
#[derive(ToSchema)]
#[schema(as = Every)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "read only by the schema generator")]
pub(crate) enum NthEveryKeywordOpenApiSchema {
    Every,
}

/// The object `{"rate":0.1}` in `nth`: each request is hit with this probability.
#[derive(ToSchema)]
#[schema(as = Rate)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read only by the schema generator")]
pub(crate) struct RateOpenApiSchema {
    #[schema(minimum = 0, maximum = 1)]
    rate: f64,
}

/// The JSON form of [`Effect`], for the OpenAPI document.
#[derive(ToSchema)]
#[schema(as = FaultEffect)]
#[serde(untagged)]
#[expect(dead_code, reason = "read only by the schema generator")]
pub(crate) enum EffectOpenApiSchema {
    /// An effect with its parameters.
    Whole(Effect),
    /// An effect that needs no parameters.
    Word(ParameterlessEffectWordOpenApiSchema),
}

/// The effects that need no parameters and may be written as one word, for the OpenAPI document.
#[derive(ToSchema)]
#[schema(as = FaultWord)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "read only by the schema generator")]
pub(crate) enum ParameterlessEffectWordOpenApiSchema {
    ErrorPage,
    Hang,
    Reset,
    ResetAfterSpending,
    Huge,
    Garbage,
    WrongShape,
    Coded,
    IgnoreRange,
    RefuseRange,
    ChangedEtag,
}
