//! Projects the visitor's picture onto the head from the front. The picture is assumed to show a face in its middle, as
//! the phone page asks for.

use glam::{Vec3, vec3};
use image::RgbImage;

use super::character::Color;

/// The visitor's picture, and how it is projected onto the head.
pub(super) struct ProjectedPhoto<'a> {
    image: &'a RgbImage,
    /// Pixels for each centimetre of the head.
    pixels_per_cm: f32,
    middle_pixel: (f32, f32),
}

/// Centimetres that the shorter side of the picture is assumed to show.
const SHOWN_HEIGHT: f32 = 27.0;
/// Height on the head (cm) of the picture's middle.
const MIDDLE_HEIGHT: f32 = -2.0;

impl<'a> ProjectedPhoto<'a> {
    /// `None` if a side of the picture is shorter than 16 pixels.
    pub(super) fn new(image: &'a RgbImage) -> Option<Self> {
        let (width, height) = image.dimensions();
        let short = width.min(height);
        (short >= 16).then(|| Self {
            image,
            pixels_per_cm: short as f32 / SHOWN_HEIGHT,
            middle_pixel: (width as f32 / 2.0, height as f32 / 2.0),
        })
    }

    /// The colour of the picture at a point of the face. The character's left is the viewer's right.
    pub(super) fn tone_at_face_point(&self, p: Vec3) -> Color {
        let x = self.middle_pixel.0 + p.x * self.pixels_per_cm;
        let y = self.middle_pixel.1 - (p.y - MIDDLE_HEIGHT) * self.pixels_per_cm;
        let (x0, y0) = (x.floor(), y.floor());
        let (fx, fy) = (x - x0, y - y0);
        let (x0, y0) = (x0 as i64, y0 as i64);
        let upper = self.pixel_color(x0, y0).lerp(self.pixel_color(x0 + 1, y0), fx);
        let lower = self.pixel_color(x0, y0 + 1).lerp(self.pixel_color(x0 + 1, y0 + 1), fx);
        upper.lerp(lower, fy)
    }

    /// The mean colour of cheeks and forehead; `usual` if the colours there cannot be skin.
    pub(super) fn mean_skin_tone_or_default(&self, usual: Color) -> Color {
        let mut sum = Vec3::ZERO;
        let mut count = 0.0;
        for (x, y) in [(-3.6, -3.6), (3.6, -3.6), (0.0, 4.2), (-2.2, 4.0), (2.2, 4.0), (0.0, -1.6)] {
            for i in 0..25_u8 {
                let (dx, dy) = (f32::from(i % 5) * 0.3 - 0.6, f32::from(i / 5) * 0.3 - 0.6);
                let tone = self.tone_at_face_point(vec3(x + dx, y + dy, 0.0));
                if tone.x >= tone.z && tone.max_element() > 0.12 && tone.min_element() < 0.95 {
                    sum += tone;
                    count += 1.0;
                }
            }
        }
        if count < 40.0 { usual } else { sum / count }
    }

    /// The colour of a pixel of the picture. Positions outside of the picture give its nearest pixel.
    fn pixel_color(&self, x: i64, y: i64) -> Color {
        let (width, height) = self.image.dimensions();
        let x = x.clamp(0, i64::from(width) - 1) as u32;
        let y = y.clamp(0, i64::from(height) - 1) as u32;
        let [r, g, b] = self.image.get_pixel(x, y).0;
        vec3(f32::from(r), f32::from(g), f32::from(b)) / 255.0
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn left_of_the_head_is_right_in_the_picture() {
        let image = RgbImage::from_fn(100, 120, |x, _| if x < 50 { Rgb([255, 0, 0]) } else { Rgb([0, 255, 0]) });
        let photo = ProjectedPhoto::new(&image).unwrap();
        assert!(photo.tone_at_face_point(vec3(3.0, 0.0, 8.0)).y > 0.9);
        assert!(photo.tone_at_face_point(vec3(-3.0, 0.0, 8.0)).x > 0.9);
    }

    #[test]
    fn skin_tone_of_a_blue_picture_is_the_default() {
        let image = RgbImage::from_pixel(64, 64, Rgb([10, 20, 240]));
        let usual = vec3(0.8, 0.6, 0.5);
        assert_eq!(ProjectedPhoto::new(&image).unwrap().mean_skin_tone_or_default(usual), usual);
        assert!(ProjectedPhoto::new(&RgbImage::new(8, 8)).is_none());
    }
}
