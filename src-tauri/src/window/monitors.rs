//! The monitors, by names that an operator can choose from.

use kiosk::view::panel::MonitorView;
use std::collections::HashMap;
use tauri::{AppHandle, Manager, Monitor, Runtime, WebviewWindow};

/// The monitors that there are now, each under a name of its own.
pub(crate) fn monitors<R: Runtime>(app: &AppHandle<R>) -> Vec<MonitorView> {
    let Some(window) = app.get_webview_window(crate::commands::WINDOW) else { return Vec::new() };
    let Ok(monitors) = window.available_monitors() else { return Vec::new() };
    let view = |(name, monitor): (String, &Monitor)| MonitorView {
        name,
        width: monitor.size().width,
        height: monitor.size().height,
    };
    names(monitors.iter().map(|monitor| monitor.name().map(String::as_str)))
        .into_iter()
        .zip(&monitors)
        .map(view)
        .collect()
}

/// The one of that name; without a name, or when it is not plugged in, the first.
pub(super) fn find<R: Runtime>(
    window: &WebviewWindow<R>,
    wanted: Option<&str>,
) -> tauri::Result<Option<Monitor>> {
    let monitors = window.available_monitors()?;
    let names = names(monitors.iter().map(|monitor| monitor.name().map(String::as_str)));
    if let Some(wanted) = wanted {
        if let Some(at) = names.iter().position(|name| name == wanted) {
            return Ok(monitors.into_iter().nth(at));
        }
        tracing::warn!(wanted, there = ?names, "the chosen monitor is not there; the first one is used");
    }
    Ok(window.primary_monitor()?.or_else(|| monitors.into_iter().next()))
}

/// Two monitors of one make are told apart by a number, nameless ones too.
fn names<'a>(given: impl Iterator<Item = Option<&'a str>>) -> Vec<String> {
    let given: Vec<&str> =
        given.map(|name| name.filter(|name| !name.is_empty()).unwrap_or("Monitor")).collect();
    let mut seen: HashMap<&str, u32> = HashMap::new();
    given
        .iter()
        .map(|name| {
            let number = seen.entry(name).or_default();
            *number += 1;
            let alone = given.iter().filter(|other| other == &name).count() == 1;
            if alone { (*name).to_owned() } else { format!("{name} ({number})") }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn each_monitor_has_a_name_of_its_own() {
        let given = [Some("TV"), None, Some("U2720Q"), Some(""), Some("U2720Q")];
        let told = ["TV", "Monitor (1)", "U2720Q (1)", "Monitor (2)", "U2720Q (2)"];
        assert_eq!(names(given.into_iter()), told);
    }
}
