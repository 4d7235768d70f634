//! A rectangle of a picture or a screen.

/// A rectangle of a picture, in pixels from the upper left corner. Parts outside of the picture are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelRect {
    /// Distance from the left edge.
    pub x: u32,
    /// Distance from the upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}
