//! `copresence profile`: lists and shows profiles and prints the path of their file.

use crate::args::ProfileCommand;
use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::{context, output};
use copresence_engine::profile::{Profile, default_profiles_path};
use serde_json::Value;
use std::path::PathBuf;

/// Runs `copresence profile`, and returns the exit code.
pub(crate) fn run_profile_command(common: &CommonOptions, command: &ProfileCommand) -> Result<u8, CommandFailure> {
    match command {
        ProfileCommand::List => {
            for name in context::load_profiles(common)?.profile_names() {
                if common.json {
                    output::print_json_line(&serde_json::json!({ "profile": name }));
                } else {
                    output::print_stdout_line(format_args!("{name}"));
                }
            }
        }
        ProfileCommand::Show { name } => {
            let profile = context::load_profiles(common)?.build_profile_by_name(name)?;
            let rows = profile.to_setting_rows();
            if common.json {
                let object: serde_json::Map<String, Value> =
                    rows.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
                output::print_json_line(&object);
            } else {
                for (key, value) in rows {
                    output::print_stdout_line(format_args!(
                        "{key:<26} {}",
                        display_profile_value(&profile, key, &value)
                    ));
                }
            }
        }
        ProfileCommand::Path => {
            let path: PathBuf = common.config.clone().unwrap_or_else(default_profiles_path);
            output::print_stdout_line(format_args!("{}", path.display()));
            if !path.exists() {
                output::eprint_sanitized_line(format_args!(
                    "(does not exist yet: the built-in profile `sandbox` needs no file)"
                ));
            }
        }
    }
    Ok(0)
}

/// Displays a value of a profile as text, with words for the defaults of unset keys.
fn display_profile_value(profile: &Profile, key: &str, value: &Value) -> String {
    match (key, value) {
        ("api_url" | "link", Value::Null) if profile.uses_embedded_sandbox() => "(the embedded sandbox's)".to_owned(),
        ("polling.usual_processing", Value::Null) => "(learnt from earlier visits, 90s before)".to_owned(),
        ("polling.fixed", Value::Null) => "(adaptive)".to_owned(),
        ("login.logout_path", Value::Null) => "(no logout: sessions expire by themselves)".to_owned(),
        ("partner.redeem_url", Value::Null) => "(redeemed at Copresence)".to_owned(),
        (_, Value::Null) => "-".to_owned(),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        (_, other) => other.to_string(),
    }
}
