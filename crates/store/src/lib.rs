//! All that reaches disk: journal, downloads, saved avatars, history
