//! Disables what a web view offers beside the page, and recovers the page through the web view's handles.
//!
//! The page itself handles keys, wheel and touches (`ui/src/guard.ts`).

use tauri::{Runtime, WebviewWindow};

#[cfg(target_os = "linux")]
pub(super) use linux::{
    disable_browser_features, load_page, notify_on_page_death, set_fallback_text_visible, terminate_or_reload_page,
};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{
    disable_browser_features, load_page, notify_on_page_death, set_fallback_text_visible, terminate_or_reload_page,
};

/// Text on the window when the page cannot be shown. Visitors read it, so it is short. English only, because the
/// catalogues are in the page.
const FALLBACK_TEXT: &str = "One moment, please.\nThis screen is restarting.";

#[cfg(target_os = "linux")]
mod linux {
    use super::{FALLBACK_TEXT, Runtime, WebviewWindow};
    use gtk::prelude::{BoxExt, Cast, ContainerExt, CssProviderExt, LabelExt, StyleContextExt, WidgetExt};
    use url::Url;
    use webkit2gtk::{FileChooserRequestExt, SettingsExt, WebProcessTerminationReason, WebView, WebViewExt};

    /// Disables the browser features of the web view.
    pub(crate) fn disable_browser_features<R: Runtime>(
        window: &WebviewWindow<R>,
        developing: bool,
    ) -> tauri::Result<()> {
        window.with_webview(move |view| {
            let view = view.inner();
            if let Some(settings) = WebViewExt::settings(&view) {
                settings.set_enable_back_forward_navigation_gestures(false);
                settings.set_enable_caret_browsing(false);
                // A cached page would keep a visitor's face and some hundred megabytes.
                settings.set_enable_page_cache(false);
                settings.set_enable_developer_extras(developing);
                // The page needs neither camera nor microphone.
                settings.set_enable_media_stream(false);
            }
            view.connect_context_menu(move |_, _, _, _| !developing);
            view.connect_print(|_, _| true);
            // The chooser of the system lists the whole disk.
            view.connect_run_file_chooser(|_, request| {
                request.cancel();
                true
            });
            view.connect_show_notification(|_, _| true);
            view.connect_zoom_level_notify(|view| {
                if (view.zoom_level() - 1.0).abs() > f64::EPSILON {
                    view.set_zoom_level(1.0);
                }
            });
            // Dropped files would replace the page.
            view.drag_dest_unset();
        })
    }

    /// Calls `notify` with the reason whenever the page's process ends.
    pub(crate) fn notify_on_page_death<R: Runtime>(
        window: &WebviewWindow<R>,
        notify: impl Fn(&'static str) + Send + 'static,
    ) -> tauri::Result<()> {
        window.with_webview(move |view| {
            view.inner().connect_web_process_terminated(move |_, reason| {
                notify(match reason {
                    WebProcessTerminationReason::Crashed => "crashed",
                    WebProcessTerminationReason::ExceededMemoryLimit => "took too much memory",
                    WebProcessTerminationReason::TerminatedByApi => "ended by this program",
                    _ => "unknown",
                });
            });
        })
    }

    /// Loads the page, in a new process if the last one has ended.
    pub(crate) fn load_page<R: Runtime>(window: &WebviewWindow<R>, home: &Url) -> tauri::Result<()> {
        let home = home.clone();
        window.with_webview(move |view| view.inner().load_uri(home.as_str()))
    }

    /// Ends the page's process, even if it hangs.
    pub(crate) fn terminate_or_reload_page<R: Runtime>(window: &WebviewWindow<R>, _: &Url) -> tauri::Result<()> {
        window.with_webview(|view| view.inner().terminate_web_process())
    }

    /// Shows the fallback text in place of the page, or the page again.
    pub(crate) fn set_fallback_text_visible<R: Runtime>(window: &WebviewWindow<R>, visible: bool) -> tauri::Result<()> {
        window.with_webview(move |view| {
            let view = view.inner();
            if view.is_visible() == visible {
                set_fallback_label_visible(&view, visible);
            }
        })
    }

    /// Shows the fallback text instead of the page, or removes it.
    fn set_fallback_label_visible(view: &WebView, visible: bool) {
        let Some(parent) = view.parent().and_then(|parent| parent.downcast::<gtk::Box>().ok()) else {
            return;
        };
        for child in parent.children() {
            if child.widget_name() == FALLBACK_WIDGET_NAME {
                parent.remove(&child);
            }
        }
        view.set_visible(!visible);
        if visible {
            let words = new_fallback_text_label();
            parent.pack_start(&words, true, true, 0);
            words.show();
        }
    }

    const FALLBACK_WIDGET_NAME: &str = "last-words";

    /// The label with the fallback text.
    fn new_fallback_text_label() -> gtk::Label {
        let label = gtk::Label::new(Some(FALLBACK_TEXT));
        label.set_widget_name(FALLBACK_WIDGET_NAME);
        label.set_justify(gtk::Justification::Center);
        let style = gtk::CssProvider::new();
        let css = b"label { font-size: 36px; color: #eef1ff; background: #0b0f1e; padding: 40px; }";
        if style.load_from_data(css).is_ok() {
            label.style_context().add_provider(&style, gtk::STYLE_PROVIDER_PRIORITY_APPLICATION);
        }
        label
    }
}

/// On other systems the web view restarts its own process, so only the page is loaded again.
#[cfg(not(target_os = "linux"))]
mod other {
    use super::{FALLBACK_TEXT, Runtime, WebviewWindow};
    use url::Url;

    /// Does nothing: the browser features are disabled on Linux only.
    pub(crate) fn disable_browser_features<R: Runtime>(_: &WebviewWindow<R>, _: bool) -> tauri::Result<()> {
        Ok(())
    }

    /// Does nothing: only on Linux the end of the page's process is observed.
    pub(crate) fn notify_on_page_death<R: Runtime>(
        _: &WebviewWindow<R>,
        _: impl Fn(&'static str) + Send + 'static,
    ) -> tauri::Result<()> {
        Ok(())
    }

    /// Loads the page.
    pub(crate) fn load_page<R: Runtime>(window: &WebviewWindow<R>, home: &Url) -> tauri::Result<()> {
        window.navigate(home.clone())
    }

    /// Loads the page again, because its process cannot be ended here.
    pub(crate) fn terminate_or_reload_page<R: Runtime>(window: &WebviewWindow<R>, home: &Url) -> tauri::Result<()> {
        window.navigate(home.clone())
    }

    /// Shows the fallback text as the title of the window, or the title again.
    pub(crate) fn set_fallback_text_visible<R: Runtime>(window: &WebviewWindow<R>, visible: bool) -> tauri::Result<()> {
        window.set_title(if visible { FALLBACK_TEXT } else { super::super::WINDOW_TITLE })
    }
}
