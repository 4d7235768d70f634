//! The traits of one avatar: proportions, colours and hair style, all derived from a seed.

use glam::Vec3;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::maths::smoothstep;

/// A colour in sRGB, each component 0..=1.
pub(super) type Color = Vec3;

/// The style of the hair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HairStyle {
    /// Short all over.
    Crop,
    /// Lifted at the front, short at the sides.
    Quiff,
    /// Combed over from a parting.
    SidePart,
    /// Round and curly.
    Curls,
    /// Down to the jaw, parted.
    Bob,
    /// Down to the jaw, with a straight fringe.
    Fringe,
    /// Down to the shoulders.
    Long,
    /// Pulled back into a knot on top.
    Bun,
}

const HAIR_STYLES: [HairStyle; 8] = [
    HairStyle::Crop,
    HairStyle::Bob,
    HairStyle::Quiff,
    HairStyle::Curls,
    HairStyle::Fringe,
    HairStyle::SidePart,
    HairStyle::Long,
    HairStyle::Bun,
];

/// Everything that distinguishes one head from another. Lengths are in centimetres; sizes and widths are factors of
/// about 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HeadTraits {
    pub(super) head_width: f32,
    pub(super) jaw_width: f32,
    pub(super) chin_size: f32,
    pub(super) cheek_size: f32,
    pub(super) nose_size: f32,
    pub(super) nose_lift: f32,
    pub(super) lip_fullness: f32,
    pub(super) mouth_width: f32,
    pub(super) eye_size: f32,
    pub(super) eye_tilt: f32,
    pub(super) brow_weight: f32,
    pub(super) brow_arch: f32,
    pub(super) ear_size: f32,
    pub(super) lash_length: f32,
    pub(super) neck_width: f32,
    pub(super) shoulder_width: f32,
    /// Height of the collar in centimetres.
    pub(super) collar_height: f32,
    /// 0 is a young adult, 1 an old one.
    pub(super) age: f32,
    pub(super) hair_style: HairStyle,
    /// The side of the parting: −1 for the character's right, 1 for the left.
    pub(super) parting_side: f32,
    /// Offset into the noise functions, so that freckles and locks differ between heads.
    pub(super) noise_offset: f32,
    pub(super) skin_tone: Color,
    pub(super) hair_tone: Color,
    pub(super) iris_tone: Color,
    pub(super) shirt_tone: Color,
    pub(super) freckle_strength: f32,
    pub(super) stubble_strength: f32,
}

impl HeadTraits {
    /// The character of a seed. The same seed always gives the same character.
    pub(super) fn from_seed(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut between = |low: f32, high: f32| rng.random_range(low..high);
        let skin_tone = interpolate_tone_gradient(&SKIN_TONES, between(0.0, 1.0));
        let dark = if skin_tone.x < 0.62 { 1.0 } else { 0.0 };
        let hair_tone = if between(0.0, 1.0) < 0.62 + 0.3 * dark {
            interpolate_tone_gradient(&DARK_HAIR_TONES, between(0.0, 1.0))
        } else {
            pick_tone_by_fraction(&BRIGHT_HAIR_TONES, between(0.0, 1.0))
        };
        let iris_tone = if dark > 0.5 {
            pick_tone_by_fraction(&DARK_IRIS_TONES, between(0.0, 1.0))
        } else {
            pick_tone_by_fraction(&IRIS_TONES, between(0.0, 1.0))
        };
        // 0 is a broad jaw and heavy brows; 1 is full lips and long lashes.
        let soft = between(0.0, 1.0);
        let hair_style = HAIR_STYLES[((between(0.0, 1.0) * 8.0) as usize).min(7)];
        let age = between(0.0, 1.0);
        let short = matches!(
            hair_style,
            HairStyle::Crop | HairStyle::Quiff | HairStyle::SidePart | HairStyle::Curls | HairStyle::Bun
        );
        Self {
            head_width: between(0.94, 1.06),
            jaw_width: between(0.95, 1.1) - 0.1 * soft,
            chin_size: between(0.85, 1.1) - 0.1 * soft,
            cheek_size: between(0.85, 1.2),
            nose_size: between(0.84, 1.18) - 0.14 * soft,
            nose_lift: between(-0.15, 0.3) + 0.15 * soft,
            lip_fullness: between(0.8, 1.1) + 0.25 * soft,
            mouth_width: between(0.9, 1.1),
            eye_size: between(0.94, 1.05) + 0.04 * soft,
            eye_tilt: between(-0.06, 0.16),
            brow_weight: between(0.85, 1.15) - 0.32 * soft,
            brow_arch: between(0.14, 0.42) + 0.14 * soft,
            ear_size: between(0.88, 1.1),
            lash_length: 0.45 + 0.75 * soft,
            neck_width: between(0.95, 1.05) - 0.13 * soft,
            shoulder_width: 1.06 - 0.14 * soft,
            hair_style,
            parting_side: if between(0.0, 1.0) < 0.5 { -1.0 } else { 1.0 },
            noise_offset: between(0.0, 90.0),
            freckle_strength: if dark < 0.5 && between(0.0, 1.0) < 0.4 { between(0.4, 1.0) } else { 0.0 },
            stubble_strength: if short && soft < 0.4 { between(0.0, 0.75) } else { 0.0 },
            shirt_tone: pick_tone_by_fraction(&SHIRT_TONES, between(0.0, 1.0)),
            collar_height: if between(0.0, 1.0) < 0.3 { 1.5 } else { 0.8 },
            age,
            skin_tone,
            hair_tone: hair_tone.lerp(color_from_24_bit_rgb(0x00b4_b0ac), 0.9 * smoothstep(0.72, 1.0, age)),
            iris_tone,
        }
    }
}

/// Converts a colour from its 24-bit notation `0xRRGGBB`.
pub(super) fn color_from_24_bit_rgb(hex: u32) -> Color {
    let part = |shift: u32| ((hex >> shift) & 0xff) as f32 / 255.0;
    Vec3::new(part(16), part(8), part(0))
}

/// The colour at `at` (0..=1) of a gradient through all of `tones`.
fn interpolate_tone_gradient(tones: &[u32], at: f32) -> Color {
    let place = at.clamp(0.0, 1.0) * (tones.len() - 1) as f32;
    let index = (place as usize).min(tones.len() - 2);
    color_from_24_bit_rgb(tones[index]).lerp(color_from_24_bit_rgb(tones[index + 1]), place - index as f32)
}

/// One of the colours, chosen by `at` (0..=1).
fn pick_tone_by_fraction(tones: &[u32], at: f32) -> Color {
    color_from_24_bit_rgb(tones[((at * tones.len() as f32) as usize).min(tones.len() - 1)])
}

const SKIN_TONES: [u32; 8] =
    [0x00fb_dcc8, 0x00f3_c9ad, 0x00e8_b48f, 0x00d9_9e74, 0x00c0_8259, 0x00a0_6742, 0x0080_4f33, 0x006c_422d];
const DARK_HAIR_TONES: [u32; 5] = [0x0020_1b1c, 0x002b_211d, 0x0041_2c22, 0x005b_3c2a, 0x0070_4a30];
const BRIGHT_HAIR_TONES: [u32; 8] =
    [0x00b0_5a2c, 0x00d3_a562, 0x00e4_c38c, 0x009a_4a22, 0x00b8_b4b0, 0x00c9_5f86, 0x003e_8a9a, 0x008a_5a3a];
const IRIS_TONES: [u32; 7] =
    [0x006b_4423, 0x003f_7fb5, 0x005d_8f58, 0x008a_6a35, 0x004f_9a9d, 0x0070_8a9f, 0x0054_3420];
const DARK_IRIS_TONES: [u32; 4] = [0x004a_2c18, 0x005f_3a1e, 0x0038_2218, 0x0074_5428];
const SHIRT_TONES: [u32; 9] = [
    0x002f_6f8f,
    0x00d9_6b4a,
    0x003c_8c6e,
    0x00e0_a63c,
    0x0074_5a9c,
    0x00c8_4f5f,
    0x0035_4a63,
    0x00e6_ddd0,
    0x004d_a3a1,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_same_character_and_other_seed_another() {
        assert_eq!(HeadTraits::from_seed(7), HeadTraits::from_seed(7));
        assert_ne!(HeadTraits::from_seed(7), HeadTraits::from_seed(8));
    }

    #[test]
    fn every_hair_style_is_chosen_by_some_seed() {
        for style in HAIR_STYLES {
            assert!((0..400).any(|seed| HeadTraits::from_seed(seed).hair_style == style), "{style:?} is never chosen");
        }
    }

    #[test]
    fn tones_are_within_zero_and_one() {
        for seed in 0..100 {
            let it = HeadTraits::from_seed(seed);
            for tone in [it.skin_tone, it.hair_tone, it.iris_tone, it.shirt_tone] {
                assert!(tone.min_element() >= 0.0 && tone.max_element() <= 1.0);
            }
        }
    }
}
