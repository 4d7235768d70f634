//! The page as no browser's: what a web view offers beside the page itself is switched off.
//!
//! The other half is the page's own ([`ui/src/guard.ts`]): keys, wheel and fingers that reach it go no further.
//!
//! [`ui/src/guard.ts`]: ../../../ui/src/guard.ts

use tauri::{Runtime, WebviewWindow};

#[cfg(target_os = "linux")]
pub(super) fn harden<R: Runtime>(window: &WebviewWindow<R>) -> tauri::Result<()> {
    use gtk::prelude::WidgetExt;
    use webkit2gtk::{SettingsExt, WebViewExt};
    window.with_webview(|view| {
        let view = view.inner();
        if let Some(settings) = WebViewExt::settings(&view) {
            settings.set_enable_back_forward_navigation_gestures(false);
            settings.set_enable_caret_browsing(false);
            // A page that was left is not kept: it would hold a visitor's face and some hundred megabytes.
            settings.set_enable_page_cache(false);
            settings.set_enable_developer_extras(cfg!(dev));
        }
        view.connect_context_menu(|_, _, _, _| !cfg!(dev));
        view.connect_print(|_, _| true);
        view.connect_show_notification(|_, _| true);
        view.connect_zoom_level_notify(|view| {
            if (view.zoom_level() - 1.0).abs() > f64::EPSILON {
                view.set_zoom_level(1.0);
            }
        });
        // Files that somebody drops from a stick's window would else replace the page.
        view.drag_dest_unset();
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn harden<R: Runtime>(_: &WebviewWindow<R>) -> tauri::Result<()> {
    Ok(())
}
