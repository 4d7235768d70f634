//! A rectangle of a picture or a screen.

/// A rectangle of a picture, in pixels from its upper left corner. What lies outside of the picture is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From the left edge.
    pub x: u32,
    /// From the upper edge.
    pub y: u32,
    /// How wide.
    pub width: u32,
    /// How high.
    pub height: u32,
}
