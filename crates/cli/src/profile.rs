//! `copresence profile`: which backends are known, and where that stands.

use crate::args::{Common, ProfileCommand};
use crate::failure::Failure;
use crate::{ground, output};
use kiosk::profile::{Profile, default_config_path};
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
            let rows = rows(&ground::profiles(common)?.get(name)?);
            if common.json {
                let object: serde_json::Map<String, serde_json::Value> =
                    rows.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
                output::result(format_args!("{}", serde_json::Value::Object(object)));
            } else {
                for (key, value) in rows {
                    output::result(format_args!("{key:<22} {value}"));
                }
            }
        }
        ProfileCommand::Path => {
            let path: PathBuf = common.config.clone().unwrap_or_else(default_config_path);
            output::result(format_args!("{}", path.display()));
            if !path.exists() {
                output::people(format_args!("(not there yet: the built-in profile `sandbox` needs no file)"));
            }
        }
    }
    Ok(0)
}

fn rows(profile: &Profile) -> Vec<(&'static str, String)> {
    let duration = |duration| humantime::format_duration(duration).to_string();
    let embedded = "(the embedded sandbox)".to_owned();
    let mut rows = vec![
        ("profile", profile.name.clone()),
        ("api_url", profile.api_url.as_ref().map_or_else(|| embedded.clone(), ToString::to_string)),
        ("link", profile.link.as_ref().map_or_else(|| embedded.clone(), ToString::to_string)),
        ("tokens from", profile.partner_url().map_or_else(|| "Copresence".to_owned(), ToString::to_string)),
        ("login.path", profile.login.path.clone()),
        ("timeout", duration(profile.timeout)),
        ("patience", duration(profile.patience)),
        ("polling.fastest", duration(profile.pace.fastest)),
        ("polling.slowest", duration(profile.pace.slowest)),
        ("polling.fixed", profile.pace.fixed.map_or_else(|| "(adaptive)".to_owned(), duration)),
        ("downloads.parallel", profile.parallel_downloads.to_string()),
        ("downloads.max_file_size", bytesize::ByteSize(profile.max_file_size).display().iec().to_string()),
    ];
    if let Some(life) = profile.export_token_life {
        rows.push(("export_token_life", duration(life)));
    }
    if let Some(out) = &profile.out {
        rows.push(("out", out.display().to_string()));
    }
    rows
}
