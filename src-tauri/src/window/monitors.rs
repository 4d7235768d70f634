//! Monitors, by unique names that an operator can choose from.

use copresence_booth::view::panel::ConnectedMonitorView;
use std::collections::HashMap;
use tauri::{AppHandle, Manager, Monitor, PhysicalPosition, PhysicalSize, Runtime, WebviewWindow};

/// Name, position and size of a monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MonitorArea {
    pub(super) name: String,
    pub(super) position: PhysicalPosition<i32>,
    pub(super) size: PhysicalSize<u32>,
}

/// The connected monitors.
pub(crate) fn list_monitors<R: Runtime>(app: &AppHandle<R>) -> Vec<ConnectedMonitorView> {
    let Some(window) = app.get_webview_window(super::KIOSK_WINDOW) else { return Vec::new() };
    let view =
        |spot: MonitorArea| ConnectedMonitorView { name: spot.name, width: spot.size.width, height: spot.size.height };
    monitor_areas_left_to_right(&window).unwrap_or_default().into_iter().map(view).collect()
}

/// The monitor of this name. Without a name, or if it is not connected, the first one.
pub(super) fn find_monitor_or_first<R: Runtime>(
    window: &WebviewWindow<R>,
    wanted: Option<&str>,
) -> tauri::Result<Option<MonitorArea>> {
    let spots = monitor_areas_left_to_right(window)?;
    if let Some(wanted) = wanted {
        if let Some(spot) = spots.iter().find(|spot| spot.name == wanted) {
            return Ok(Some(spot.clone()));
        }
        let there: Vec<&str> = spots.iter().map(|spot| spot.name.as_str()).collect();
        tracing::warn!(wanted, ?there, "the chosen monitor is not connected; the first one is used");
    }
    let primary = window.primary_monitor()?.map(|monitor| *monitor.position());
    let first = spots.iter().find(|spot| Some(spot.position) == primary).or(spots.first());
    Ok(first.cloned())
}

/// The monitors from left to right, then top to bottom. The system's order changes when a monitor is connected.
fn monitor_areas_left_to_right<R: Runtime>(window: &WebviewWindow<R>) -> tauri::Result<Vec<MonitorArea>> {
    let mut monitors = window.available_monitors()?;
    monitors.sort_by_key(|monitor| (monitor.position().x, monitor.position().y));
    let names = unique_monitor_names(monitors.iter().map(|monitor| monitor.name().map(String::as_str)));
    let spot = |(name, monitor): (String, &Monitor)| MonitorArea {
        name,
        position: *monitor.position(),
        size: *monitor.size(),
    };
    Ok(names.into_iter().zip(&monitors).map(spot).collect())
}

/// Calls `notify` whenever monitors are added, removed or changed.
#[cfg(target_os = "linux")]
pub(super) fn notify_on_monitor_change<R: Runtime>(
    window: &WebviewWindow<R>,
    notify: impl Fn() + Send + 'static,
) -> tauri::Result<()> {
    use gtk::prelude::WidgetExt;
    window.with_webview(move |view| {
        if let Some(screen) = view.inner().screen() {
            let notify = std::rc::Rc::new(notify);
            let size = notify.clone();
            screen.connect_monitors_changed(move |_| notify());
            screen.connect_size_changed(move |_| size());
        }
    })
}

/// Whether the display server is Wayland, where the compositor places windows.
#[cfg(target_os = "linux")]
pub(super) fn is_wayland<R: Runtime>(window: &WebviewWindow<R>) -> tauri::Result<bool> {
    use gtk::gdk::prelude::DisplayExtManual;
    use gtk::prelude::WidgetExt;
    let (sender, receiver) = std::sync::mpsc::channel();
    window.with_webview(move |view| _ = sender.send(view.inner().display().backend().is_wayland()))?;
    Ok(receiver.recv().unwrap_or(false))
}

/// Does nothing: other systems move windows off a removed monitor themselves.
#[cfg(not(target_os = "linux"))]
pub(super) fn notify_on_monitor_change<R: Runtime>(
    _: &WebviewWindow<R>,
    _: impl Fn() + Send + 'static,
) -> tauri::Result<()> {
    Ok(())
}

/// Always false: Wayland is a display server of Linux.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_wayland<R: Runtime>(_: &WebviewWindow<R>) -> tauri::Result<bool> {
    Ok(false)
}

/// Numbers monitors of the same name, including those without a name.
fn unique_monitor_names<'a>(given: impl Iterator<Item = Option<&'a str>>) -> Vec<String> {
    let given: Vec<&str> = given.map(|name| name.filter(|name| !name.is_empty()).unwrap_or("Monitor")).collect();
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
    use super::unique_monitor_names;

    #[test]
    fn monitor_names_are_unique() {
        let given = [Some("TV"), None, Some("U2720Q"), Some(""), Some("U2720Q")];
        let expected = ["TV", "Monitor (1)", "U2720Q (1)", "Monitor (2)", "U2720Q (2)"];
        assert_eq!(unique_monitor_names(given.into_iter()), expected);
    }
}
