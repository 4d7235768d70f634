//! The downloads of a visit, as the screen lists them.

use crate::view::FileDownloadView;

/// Maximum number of files that the screen lists while they are downloaded. An avatar has about ten.
const MAX_LISTED_DOWNLOADS: usize = 100;

/// How much of each file has been downloaded, in the order in which the files began.
#[derive(Debug, Clone, Default)]
pub(super) struct FileDownloads(Vec<FileDownloadView>);

impl FileDownloads {
    /// Updates how much of a file has been downloaded.
    pub(super) fn update_file_progress(&mut self, file: &str, bytes: u64, total: Option<u64>) {
        let view = FileDownloadView { file: file.to_owned(), bytes, total, whole: total == Some(bytes) };
        match self.0.iter_mut().find(|known| known.file == file) {
            Some(known) => *known = view,
            None => self.0.push(view),
        }
    }

    /// The downloads as the screen has them: the first [`MAX_LISTED_DOWNLOADS`], and the others together. Every change of one
    /// is sent to the page with all of them, and a delivery may have thousands.
    pub(super) fn list_first_and_sum_other_downloads(&self) -> Vec<FileDownloadView> {
        let (listed, others) = self.0.split_at(self.0.len().min(MAX_LISTED_DOWNLOADS));
        let mut views = listed.to_vec();
        if !others.is_empty() {
            views.push(FileDownloadView {
                file: format!("{} more", others.len()),
                bytes: others.iter().map(|file| file.bytes).fold(0, u64::saturating_add),
                total: others.iter().try_fold(0_u64, |sum, file| Some(sum.saturating_add(file.total?))),
                whole: others.iter().all(|file| file.whole),
            });
        }
        views
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_thousands_of_downloads_the_screen_lists_a_few_and_the_sum_of_the_others() {
        let mut downloads = FileDownloads::default();
        for number in 0..1_000 {
            downloads.update_file_progress(&format!("avatar_x-{number}.bin"), 7, Some(7));
        }
        let files = downloads.list_first_and_sum_other_downloads();
        assert_eq!((files.len(), files[0].file.as_str()), (MAX_LISTED_DOWNLOADS + 1, "avatar_x-0.bin"));
        let others = FileDownloadView { file: "900 more".into(), bytes: 6_300, total: Some(6_300), whole: true };
        assert_eq!(files.last(), Some(&others));
        downloads.update_file_progress("avatar_x-999.bin", 3, None);
        let others = FileDownloadView { bytes: 6_296, total: None, whole: false, ..others };
        assert_eq!(downloads.list_first_and_sum_other_downloads().last(), Some(&others));
    }
}
