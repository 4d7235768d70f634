//! `copresence profile`: lists and shows profiles and prints the path of their file.

use crate::args::ProfileCommand;
use crate::common_options::Common;
use crate::failure::Failure;
use crate::{ground, output};
use kiosk::profile::{Profile, default_config_path};
use serde_json::Value;
use std::path::PathBuf;

pub(crate) fn run(common: &Common, command: &ProfileCommand) -> Result<u8, Failure> {
    match command {
        ProfileCommand::List => {
            for name in ground::profiles(common)?.names() {
                if common.json {
                    output::result(format_args!("{}", serde_json::json!({ "profile": name })));
                } else {
                    output::result(format_args!("{name}"));
                }
            }
        }
        ProfileCommand::Show { name } => {
            let profile = ground::profiles(common)?.get(name)?;
            let rows = profile.shown();
            if common.json {
                let object: serde_json::Map<String, Value> =
                    rows.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
                output::result(format_args!("{}", Value::Object(object)));
            } else {
                for (key, value) in rows {
                    output::result(format_args!("{key:<26} {}", for_people(&profile, key, &value)));
                }
            }
        }
        ProfileCommand::Path => {
            let path: PathBuf = common.config.clone().unwrap_or_else(default_config_path);
            output::result(format_args!("{}", path.display()));
            if !path.exists() {
                output::people(format_args!(
                    "(does not exist yet: the built-in profile `sandbox` needs no file)"
                ));
            }
        }
    }
    Ok(0)
}

fn for_people(profile: &Profile, key: &str, value: &Value) -> String {
    match (key, value) {
        ("api_url" | "link", Value::Null) if profile.is_embedded_sandbox() => {
            "(the embedded sandbox's)".to_owned()
        }
        ("polling.usual_processing", Value::Null) => "(learnt from earlier visits, 90s before)".to_owned(),
        ("polling.fixed", Value::Null) => "(adaptive)".to_owned(),
        ("partner.redeem_url", Value::Null) => "(redeemed at Copresence)".to_owned(),
        (_, Value::Null) => "-".to_owned(),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        (_, other) => other.to_string(),
    }
}
