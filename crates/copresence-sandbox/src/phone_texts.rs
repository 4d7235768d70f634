//! The messages of the phone page, from the Fluent catalogues in `locales/phone/`.

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::LazyLock;

/// For each language, in the order in which the page offers them: its tag, the catalogue of the page, and that of the
/// window, which names the tickets. The first language is the default.
const FLUENT_CATALOGUES_BY_LANGUAGE: [(&str, &str, &str); 6] = [
    ("en", include_str!("../../../locales/phone/en.ftl"), include_str!("../../../locales/en.ftl")),
    ("de", include_str!("../../../locales/phone/de.ftl"), include_str!("../../../locales/de.ftl")),
    ("es", include_str!("../../../locales/phone/es.ftl"), include_str!("../../../locales/es.ftl")),
    ("fr", include_str!("../../../locales/phone/fr.ftl"), include_str!("../../../locales/fr.ftl")),
    ("ja", include_str!("../../../locales/phone/ja.ftl"), include_str!("../../../locales/ja.ftl")),
    ("zh-Hans", include_str!("../../../locales/phone/zh-Hans.ftl"), include_str!("../../../locales/zh-Hans.ftl")),
];

/// The messages that the template shows.
const PAGE_MESSAGE_KEYS: [&str; 26] = [
    "language-name",
    "languages",
    "title",
    "sandbox-note",
    "no-script",
    "headline",
    "introduction",
    "record",
    "record-hint",
    "choose",
    "choose-hint",
    "pick",
    "skip",
    "choose-headline",
    "back",
    "crop-headline",
    "crop-hint",
    "crop-area",
    "crop-keys",
    "zoom",
    "turn",
    "use-picture",
    "take-again",
    "promise",
    "again",
    "ticket",
];

/// The messages that the script shows as the avatar progresses. Their names in a catalogue begin with `live-`.
const SCRIPT_MESSAGE_KEYS: [&str; 26] = [
    "queue-head",
    "queue-next-head",
    "queue-text",
    "queue-unit",
    "queue-place",
    "processing-head",
    "processing-text",
    "ready-head",
    "ready-text",
    "spent-head",
    "spent-text",
    "failed-head",
    "failed-text",
    "expired-head",
    "expired-text",
    "unknown-head",
    "unknown-text",
    "sending-head",
    "sending-text",
    "offline",
    "picture-unreadable",
    "picture-refused",
    "not-sent",
    "ticket-making-text",
    "ticket-ready-head",
    "ticket-ready-text",
];

/// The window's message with the name of a ticket, by `$colour` and `$symbol`.
const TICKET_NAME_KEY: &str = "ticket-name";

/// The colours and symbols of tickets, as in the booth's `TicketColour` and `TicketSymbol`.
const TICKET_COLOURS: [&str; 8] = ["blue", "red", "green", "yellow", "orange", "purple", "pink", "white"];
const TICKET_SYMBOLS: [&str; 12] =
    ["comet", "moon", "anchor", "bell", "kite", "key", "leaf", "crown", "rocket", "cloud", "feather", "mountain"];

/// All languages, in the order of [`FLUENT_CATALOGUES_BY_LANGUAGE`].
pub(crate) static LANGUAGES: LazyLock<[PhoneTexts; 6]> = LazyLock::new(|| {
    FLUENT_CATALOGUES_BY_LANGUAGE
        .map(|(tag, page, window)| PhoneTexts::build_phone_texts_from_catalogues(tag, page, window))
});

/// The formatted messages of one language.
#[derive(Debug)]
pub(crate) struct PhoneTexts {
    /// The language tag for HTML and HTTP.
    pub(crate) tag: &'static str,
    messages: HashMap<&'static str, String>,
    /// The messages for the script, as a JSON object.
    pub(crate) script_json: String,
}

impl PhoneTexts {
    /// The texts of the phone page in one language, from the Fluent catalogues of the page and of the window.
    fn build_phone_texts_from_catalogues(tag: &'static str, page: &str, window: &str) -> Self {
        let bundle = parse_fluent_catalogue(tag, page);
        // The script replaces `{n}` with the queue position.
        let arguments = FluentArgs::from_iter([("n", "{n}")]);
        let format = |key: &str| {
            let pattern = bundle.get_message(key).and_then(|message| message.value());
            let text = pattern.map(|text| bundle.format_pattern(text, Some(&arguments), &mut Vec::new()));
            text.map_or_else(|| key.to_owned(), Into::into)
        };
        let mut script: Map<String, Value> = SCRIPT_MESSAGE_KEYS
            .iter()
            .map(|key| (key.replace('-', "_"), Value::from(format(&format!("live-{key}")))))
            .collect();
        script.insert(
            "ticket_names".to_owned(),
            Value::Object(map_ticket_colour_symbol_to_name(&parse_fluent_catalogue(tag, window))),
        );
        Self {
            tag,
            messages: PAGE_MESSAGE_KEYS.iter().map(|key| (*key, format(key))).collect(),
            script_json: Value::from(script).to_string(),
        }
    }

    /// The phone page's message with this key; the key itself if there is none.
    pub(crate) fn page_text_or_key(&self, key: &'static str) -> &str {
        self.messages.get(key).map_or(key, String::as_str)
    }
}

/// Parses a Fluent catalogue.
fn parse_fluent_catalogue(tag: &str, source: &str) -> FluentBundle<FluentResource> {
    // A test parses every catalogue: neither branch below loses a message.
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(partial, _)| partial);
    let mut bundle = FluentBundle::new(tag.parse().into_iter().collect());
    bundle.set_use_isolating(false);
    let _ = bundle.add_resource(resource);
    bundle
}

/// The name of every ticket, by colour and symbol with a space between them.
fn map_ticket_colour_symbol_to_name(window: &FluentBundle<FluentResource>) -> Map<String, Value> {
    let Some(pattern) = window.get_message(TICKET_NAME_KEY).and_then(|message| message.value()) else {
        return Map::new();
    };
    let name = |colour: &str, symbol: &str| {
        let arguments = FluentArgs::from_iter([("colour", colour.to_owned()), ("symbol", symbol.to_owned())]);
        window.format_pattern(pattern, Some(&arguments), &mut Vec::new()).into_owned()
    };
    TICKET_COLOURS
        .iter()
        .flat_map(|colour| TICKET_SYMBOLS.iter().map(move |symbol| (*colour, *symbol)))
        .map(|(colour, symbol)| (format!("{colour} {symbol}"), Value::from(name(colour, symbol))))
        .collect()
}

/// Selects the language: by `tag` (a link of the page), else by the browser's `Accept-Language`, else the default.
pub(crate) fn select_phone_texts_by_language(tag: Option<&str>, accept_language: Option<&str>) -> &'static PhoneTexts {
    let find = |tag: &str| {
        // Only the primary subtag counts: for `zh-TW`, simplified Chinese is better than English.
        let primary = tag.split('-').next().unwrap_or_default();
        LANGUAGES.iter().find(|texts| texts.tag.split('-').next().is_some_and(|own| own.eq_ignore_ascii_case(primary)))
    };
    if let Some(texts) = tag.and_then(find) {
        return texts;
    }
    let mut ranges: Vec<(f32, &str)> =
        accept_language.unwrap_or_default().split(',').map(parse_language_weight_and_tag).collect();
    // The sort is stable: of ranges with the same weight, the first wins.
    ranges.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut acceptable = ranges.into_iter().filter(|(weight, _)| *weight > 0.0);
    acceptable.find_map(|(_, tag)| find(tag)).unwrap_or(&LANGUAGES[0])
}

/// Weight (0 to 1) and tag of an `Accept-Language` range such as `de;q=0.8`. A malformed weight counts as 0.
fn parse_language_weight_and_tag(range: &str) -> (f32, &str) {
    let mut parts = range.split(';').map(str::trim);
    let tag = parts.next().unwrap_or_default();
    let weight = match parts.find_map(|part| part.strip_prefix("q=")) {
        None => 1.0,
        Some(text) => text.parse().ok().filter(|q: &f32| (0.0..=1.0).contains(q)).unwrap_or(0.0),
    };
    (weight, tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const TEMPLATE: &str = include_str!("../templates/phone.html");
    const SCRIPT: &str = include_str!("../static/phone.js");

    fn message_ids(source: &str) -> Vec<String> {
        let messages = source.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()));
        messages.map(|line| line.split(" =").next().expect("an id").to_owned()).collect()
    }

    fn all_keys() -> BTreeSet<String> {
        let script = SCRIPT_MESSAGE_KEYS.iter().map(|key| format!("live-{key}"));
        PAGE_MESSAGE_KEYS.iter().map(ToString::to_string).chain(script).collect()
    }

    #[test]
    fn every_catalogue_parses_and_has_exactly_the_known_keys() {
        for (tag, source, _) in FLUENT_CATALOGUES_BY_LANGUAGE {
            let parsed = FluentResource::try_new(source.to_owned());
            assert!(parsed.is_ok(), "{tag}: {:?}", parsed.err().map(|(_, errors)| errors));
            let ids = message_ids(source);
            let unique: BTreeSet<String> = ids.iter().cloned().collect();
            assert_eq!(ids.len(), unique.len(), "{tag} has a key twice");
            assert_eq!(unique, all_keys(), "{tag}");
        }
    }

    #[test]
    fn every_key_is_used_by_the_page() {
        for key in PAGE_MESSAGE_KEYS {
            assert!(TEMPLATE.contains(&format!(".page_text_or_key(\"{key}\")")), "{key} is not in the template");
        }
        for use_of_key in TEMPLATE.split(".page_text_or_key(\"").skip(1) {
            let key = use_of_key.split('"').next().expect("a key");
            assert!(PAGE_MESSAGE_KEYS.contains(&key), "the template shows the unknown key {key}");
        }
        // `queue_head` and `queue_text` are put together in the script, as `name + "_head"`.
        for key in SCRIPT_MESSAGE_KEYS.map(|key| key.replace('-', "_")) {
            let state = key.trim_end_matches("_head").trim_end_matches("_text");
            let is_named = SCRIPT.contains(&format!("texts.{key}"));
            let is_state = key != state && SCRIPT.contains(&format!("\"{state}\""));
            assert!(is_named || is_state, "{key} is not in the script");
        }
    }

    #[test]
    fn every_message_is_translated_and_keeps_its_placeholder() {
        let english: Map<String, Value> = serde_json::from_str(&LANGUAGES[0].script_json).expect("JSON");
        // The same word in both languages.
        let alike = [("fr", "zoom"), ("es", "zoom"), ("de", "zoom")];
        for texts in LANGUAGES.iter() {
            let tag = texts.tag;
            for key in PAGE_MESSAGE_KEYS {
                let text = texts.page_text_or_key(key);
                assert!(!text.is_empty() && text == text.trim() && !text.contains('{'), "{tag} {key}");
                let same = tag != "en" && text == LANGUAGES[0].page_text_or_key(key);
                assert!(!same || alike.contains(&(tag, key)), "{tag} {key} is English");
            }
            let mut script: Map<String, Value> = serde_json::from_str(&texts.script_json).expect("JSON");
            script.remove("ticket_names").expect("tested below");
            assert_eq!(script.len(), SCRIPT_MESSAGE_KEYS.len());
            for (key, text) in script {
                let text = text.as_str().expect("a text");
                assert!(!text.is_empty() && text == text.trim(), "{tag} {key}");
                assert_eq!(text.contains("{n}"), key == "queue_place", "{tag} {key}");
                assert!(tag == "en" || english[&key] != text, "{tag} {key} is English");
            }
            assert!(texts.page_text_or_key("sandbox-note").contains("Copresence"), "{tag} says that it is a sandbox");
        }
    }

    #[test]
    fn every_ticket_has_a_name_of_its_own() {
        for texts in LANGUAGES.iter() {
            let script: Value = serde_json::from_str(&texts.script_json).expect("JSON");
            let names = script["ticket_names"].as_object().expect("an object");
            let unique: BTreeSet<&str> = names.values().map(|name| name.as_str().expect("a text")).collect();
            assert_eq!(unique.len(), TICKET_COLOURS.len() * TICKET_SYMBOLS.len(), "{}", texts.tag);
            assert!(unique.iter().all(|name| !name.is_empty() && *name == name.trim()), "{}: {unique:?}", texts.tag);
        }
        let german: Value = serde_json::from_str(&LANGUAGES[1].script_json).expect("JSON");
        assert_eq!(german["ticket_names"]["blue comet"], "Blauer Komet");
        let sprite = include_str!("../static/tickets.svg");
        for symbol in TICKET_SYMBOLS {
            assert!(sprite.contains(&format!("<symbol id=\"{symbol}\"")), "{symbol} is not drawn");
        }
    }

    #[test]
    fn link_outweighs_the_browsers_languages() {
        let tag = |tag, accept_language| select_phone_texts_by_language(tag, accept_language).tag;
        assert_eq!(tag(None, None), "en");
        assert_eq!(tag(None, Some("de-CH,de;q=0.9,en;q=0.8")), "de");
        assert_eq!(tag(None, Some("nl,en;q=0.3,fr;q=0.7")), "fr");
        assert_eq!(tag(None, Some("ja;q=0, es;q=0.1")), "es");
        assert_eq!(tag(None, Some("zh-TW")), "zh-Hans");
        assert_eq!(tag(None, Some("nl;q=oops,,;;")), "en");
        assert_eq!(tag(Some("ja"), Some("de")), "ja");
        assert_eq!(tag(Some("tlh"), Some("de")), "de");
    }
}
