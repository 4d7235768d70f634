//! Files that `copresence visit` writes on request: the QR code and the HTTP Archive.

use crate::failure::CommandFailure;
use crate::output;
use crate::output_file::{DeferredOutputFile, OutputFileReadPermission};
use copresence_engine::qr::QrCode;
use copresence_engine::{ExchangeRecorder, HarRecorder};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Pixels per module of the PNG: large enough for paper and screen.
const MODULE: u32 = 12;
/// Maximum exchanges in the archive: several hours of one poll per second.
const EXCHANGES: usize = 20_000;

/// Output file of `--qr FILE`.
#[derive(Debug, Clone)]
pub(super) struct QrFile {
    file: DeferredOutputFile,
    svg: bool,
}

impl QrFile {
    pub(super) fn new(path: &Path) -> Result<Self, CommandFailure> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
            return Err(CommandFailure::usage_error(format!(
                "--qr {}: there is no folder {}",
                path.display(),
                parent.display()
            )));
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        match extension.as_str() {
            "svg" | "png" => {
                // The code holds a live token.
                let file =
                    DeferredOutputFile::check_output_file_can_be_written(path, OutputFileReadPermission::OwnerOnly)
                        .map_err(|error| CommandFailure::usage_error(format!("--qr {}: {error}", path.display())))?;
                Ok(Self { file, svg: extension == "svg" })
            }
            _ => Err(CommandFailure::usage_error(format!(
                "--qr {}: the file's name must end in .png or .svg",
                path.display()
            ))),
        }
    }

    /// Writes the QR code of the link as PNG or SVG; only warns if that fails.
    pub(super) fn write_qr_code_or_warn(&self, link: &str) {
        if let Err(why) = self.try_write_qr_code(link) {
            output::eprint_sanitized_line(format_args!(
                "warning: the QR code could not be written to {}: {why}",
                self.file.path().display()
            ));
        }
    }

    /// Writes the QR code of a link to the file, as SVG or PNG. The error says why this failed.
    fn try_write_qr_code(&self, link: &str) -> Result<(), String> {
        let code = QrCode::new(link).map_err(|error| error.to_string())?;
        let bytes = if self.svg {
            code.to_svg().into_bytes()
        } else {
            code.to_png(MODULE).map_err(|error| error.to_string())?
        };
        self.file.replace_output_bytes(&bytes).map_err(|error| error.to_string())
    }
}

/// Output file of `--har FILE`. Checked at the start, so that a wrong path is reported before a token is spent.
#[derive(Debug)]
pub(super) struct HarFile {
    file: DeferredOutputFile,
    shared_har_recorder: Arc<HarRecorder>,
}

impl HarFile {
    /// Checks that the HAR file can be written, and creates the recorder for it. The file is written later.
    pub(super) fn check_path_and_create_recorder(path: &Path) -> Result<Self, CommandFailure> {
        let file = DeferredOutputFile::check_output_file_can_be_written(path, OutputFileReadPermission::OwnerOnly)
            .map_err(|error| CommandFailure::usage_error(format!("--har {}: {error}", path.display())))?;
        Ok(Self { file, shared_har_recorder: Arc::new(HarRecorder::new(EXCHANGES)) })
    }

    /// The recorder to pass to the visit. It shares the recorded exchanges with this file.
    pub(super) fn shared_har_recorder(&self) -> Arc<dyn ExchangeRecorder> {
        self.shared_har_recorder.clone()
    }

    /// Writes the recorded exchanges as HAR; only warns if that fails.
    pub(super) fn write_har_archive_or_warn(self) {
        let written = self.file.replace_output_file(|file| {
            let mut buffered = std::io::BufWriter::new(file);
            self.shared_har_recorder.write_har(&mut buffered).and_then(|()| buffered.flush())
        });
        if let Err(error) = written {
            let path = self.file.path().display();
            output::eprint_sanitized_line(format_args!(
                "warning: the exchanges could not be written to {path}: {error}"
            ));
        }
    }
}
