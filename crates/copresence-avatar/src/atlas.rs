//! The layout of the texture that all materials share: one rectangle for each part.

use glam::{Vec2, vec2};

/// Width and height of the texture in pixels.
pub(super) const TEXTURE_SIZE: u32 = 1024;

/// A rectangle of the texture, in pixels from the top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TexturePatch {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

pub(super) const HEAD_PATCH: TexturePatch = TexturePatch::new(0, 0, 1024, 800);
pub(super) const EYE_PATCH: TexturePatch = TexturePatch::new(4, 808, 208, 208);
pub(super) const HAIR_PATCH: TexturePatch = TexturePatch::new(220, 808, 512, 208);
pub(super) const EAR_PATCH: TexturePatch = TexturePatch::new(740, 808, 136, 208);
pub(super) const MOUTH_PATCH: TexturePatch = TexturePatch::new(884, 808, 40, 64);
pub(super) const TEETH_PATCH: TexturePatch = TexturePatch::new(932, 808, 40, 64);
pub(super) const LASH_PATCH: TexturePatch = TexturePatch::new(980, 808, 32, 32);
pub(super) const LID_RIM_PATCH: TexturePatch = TexturePatch::new(980, 848, 32, 32);
pub(super) const BROW_PATCH: TexturePatch = TexturePatch::new(884, 880, 128, 64);
pub(super) const TONGUE_PATCH: TexturePatch = TexturePatch::new(884, 952, 128, 64);

impl TexturePatch {
    const fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self { x, y, width, height }
    }

    /// Texture coordinates of a position in the patch (0..=1 on each axis), kept half a pixel inside of its edges.
    pub(super) fn uv_at_patch_position(self, place: Vec2) -> Vec2 {
        let size = vec2(self.width as f32 - 1.0, self.height as f32 - 1.0);
        (vec2(self.x as f32, self.y as f32) + 0.5 + place.clamp(Vec2::ZERO, Vec2::ONE) * size) / TEXTURE_SIZE as f32
    }

    /// Texture coordinates of the patch's middle.
    pub(super) fn uv_at_patch_middle(self) -> Vec2 {
        self.uv_at_patch_position(Vec2::splat(0.5))
    }

    /// The patch's pixels, each with its position in the patch (0..=1 on each axis).
    pub(super) fn pixels_with_patch_position(self) -> impl Iterator<Item = (u32, u32, Vec2)> {
        let scale = vec2(self.width as f32 - 1.0, self.height as f32 - 1.0);
        (0..self.height)
            .flat_map(move |y| (0..self.width).map(move |x| (self.x + x, self.y + y, vec2(x as f32, y as f32) / scale)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_fit_the_texture_and_do_not_overlap() {
        let all = [
            HEAD_PATCH,
            EYE_PATCH,
            HAIR_PATCH,
            EAR_PATCH,
            MOUTH_PATCH,
            TEETH_PATCH,
            LASH_PATCH,
            LID_RIM_PATCH,
            BROW_PATCH,
            TONGUE_PATCH,
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(a.x + a.width <= TEXTURE_SIZE && a.y + a.height <= TEXTURE_SIZE);
            for b in &all[i + 1..] {
                let apart =
                    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
                assert!(apart, "{a:?} overlaps {b:?}");
            }
        }
    }
}
