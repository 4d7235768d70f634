//! Paints the texture that all materials share: skin, eyes, hair, mouth, and the visitor's picture on the face.

use glam::{Vec2, Vec3, vec2, vec3};
use image::{Rgb, RgbImage};

use super::atlas;
use super::character::{Color, HeadTraits, color_from_24_bit_rgb};
use super::features::{BROW_ANGLES, brow_half_height, brow_middle_row_at, height_above_shirt_edge};
use super::hair::degrees_above_hairline;
use super::head::HeadMeshWithVertexOrigins;
use super::maths::{exp_of_negative_square, lerp, pixel_noise, smoothstep, value_noise, worley_noise};
use super::photo::ProjectedPhoto;
use super::sculpt::{HeadDistanceField, MOUTH_ROW};

/// Paints the whole texture.
pub(super) fn paint_texture(
    sculpt: &HeadDistanceField,
    head: &HeadMeshWithVertexOrigins,
    face: Option<&RgbImage>,
) -> RgbImage {
    let mut image = RgbImage::new(atlas::TEXTURE_SIZE, atlas::TEXTURE_SIZE);
    let photo = face.and_then(ProjectedPhoto::new);
    let skin_tone = photo
        .as_ref()
        .map_or(sculpt.character.skin_tone, |photo| photo.mean_skin_tone_or_default(sculpt.character.skin_tone));
    let palette = SkinDerivedColors::palette_from_skin_tone(skin_tone, sculpt);
    paint_head_patch(&mut image, sculpt, head, &palette, photo.as_ref());
    paint_shared_eyeball_patch(&mut image, sculpt.character.iris_tone);
    paint_hair(&mut image, sculpt);
    paint_ears_mouth_and_lashes(&mut image, sculpt, &palette);
    image
}

/// Colours that are derived from the skin's colour.
struct SkinDerivedColors {
    skin: Color,
    blush: Color,
    lips: Color,
    shade: Color,
}

impl SkinDerivedColors {
    /// Derives the colours of cheeks, lips and shadows from the colour of the skin.
    fn palette_from_skin_tone(skin_tone: Color, sculpt: &HeadDistanceField) -> Self {
        let depth = 1.0 - skin_tone.element_sum() / 3.0;
        let rose = lerp(0.1, 0.2, depth) + 0.42 * (sculpt.character.lash_length - 0.45);
        Self {
            skin: skin_tone,
            blush: skin_tone * vec3(1.01, 0.8, 0.77),
            lips: (skin_tone * vec3(0.9, 0.68, 0.67))
                .lerp(color_from_24_bit_rgb(0x00b0_4a58), rose * (1.0 - depth * 0.6)),
            shade: skin_tone * vec3(0.74, 0.58, 0.52),
        }
    }
}

/// What the skin's pixels are painted from, at one vertex of the grid: position, colour, share of the visitor's
/// picture, and openness to light. The values of a pixel are interpolated.
#[derive(Clone, Copy)]
struct VertexPaintValues {
    position: Vec3,
    /// Angle and row on the grid, before lids and lips separate.
    grid_position: Vec2,
    tone: Color,
    /// Share of the visitor's picture in the colour, 0..=1.
    photo_share: f32,
    /// How open the surroundings are to light, 0..=1.
    openness: f32,
}

/// Computes, for each vertex of the skin's grid, the values from which pixels are painted.
fn compute_vertex_paint_values(
    sculpt: &HeadDistanceField,
    head: &HeadMeshWithVertexOrigins,
    palette: &SkinDerivedColors,
) -> Vec<VertexPaintValues> {
    let who = &sculpt.character;
    let nose_tip = sculpt.skin_point_at_angle_row(0.0, -3.3);
    head.vertex_origins[..head.column_angles.len() * head.grid_rows.len()]
        .iter()
        .zip(head.mesh.positions.iter().zip(&head.mesh.normals))
        .map(|(source, (&p, &normal))| {
            let side = vec3(p.x.abs(), p.y, p.z);
            let cheek = exp_of_negative_square(((side - vec3(4.0, -3.3, 6.4)) / vec3(2.7, 2.0, 3.0)).length());
            let nose = exp_of_negative_square((side - nose_tip).length() / 1.7);
            let chin = exp_of_negative_square((side - vec3(0.0, -9.6, 7.8)).length() / 1.6);
            let lid = exp_of_negative_square((side - sculpt.eye_centre - vec3(0.0, 0.0, 1.0)).length() / 1.7);
            let warm = (0.6 * cheek + 0.45 * nose + 0.2 * chin + 0.25 * lid).min(0.9);
            // The forehead is paler and more yellow than the middle of the face, the jaw a little cooler.
            let pale = exp_of_negative_square(((side - vec3(0.0, 5.0, 8.0)) / vec3(5.0, 2.6, 5.0)).length());
            let cool = smoothstep(-5.0, -9.0, p.y) * smoothstep(-13.0, -10.0, p.y);
            let mut tone = palette.skin.lerp(palette.blush, warm);
            tone *= Vec3::ONE + vec3(0.02, 0.02, -0.03) * pale + vec3(-0.035, -0.015, 0.0) * cool;
            let open = sculpt.ambient_visibility(p, normal);
            tone = palette.shade.lerp(tone, lerp(0.25, 1.0, open));
            if source.row < -8.0 && source.row > -17.0 {
                tone *= lerp(1.0, 0.93, smoothstep(-9.0, -13.0, p.y));
            }
            let over = degrees_above_hairline(sculpt, p);
            if source.row > -16.0 {
                tone *= 1.0 - 0.12 * smoothstep(-9.0, 0.0, over) * smoothstep(-2.0, 3.0, p.y);
            }
            let beard = who.stubble_strength
                * smoothstep(-3.8, -6.0, p.y)
                * smoothstep(-13.2, -11.2, p.y)
                * smoothstep(-1.0, 3.0, p.z)
                * (1.0 - exp_of_negative_square((side - vec3(3.8, -4.0, 6.6)).length() / 2.0));
            tone = tone.lerp(who.hair_tone * 0.55 + palette.skin * 0.35, 0.5 * beard);
            let facing = smoothstep(0.25, 0.7, normal.z);
            let oval = vec2(p.x / 5.6, (p.y + 3.2) / 7.6).length();
            let photo = facing
                * smoothstep(1.0, 0.72, oval)
                * smoothstep(1.75, 2.35, (side - sculpt.eye_centre - vec3(0.0, 0.0, 1.0)).length());
            // Skin is not of one uniform colour.
            tone *= 1.0 + 0.035 * (value_noise(p * 2.1 + Vec3::splat(who.noise_offset)) - 0.5);
            VertexPaintValues {
                position: p,
                grid_position: vec2(source.theta, source.row),
                tone,
                photo_share: photo,
                openness: open,
            }
        })
        .collect()
}

/// 1 on the shirt, 0 on the skin. `lower` moves the collar's edge down by centimetres if negative.
fn shirt_blend_weight(p: Vec3, lower: f32) -> f32 {
    smoothstep(0.07, -0.07, height_above_shirt_edge(p) - lower)
}

/// Paints the patch of the head: skin, lips, freckles and shirt, and the visitor's picture on the face.
fn paint_head_patch(
    image: &mut RgbImage,
    sculpt: &HeadDistanceField,
    head: &HeadMeshWithVertexOrigins,
    palette: &SkinDerivedColors,
    photo: Option<&ProjectedPhoto>,
) {
    let skin_samples = compute_vertex_paint_values(sculpt, head, palette);
    let width = head.column_angles.len();
    // For each line of the texture, the row below it and the share of the row above.
    let lines: Vec<(usize, f32)> = (0..atlas::HEAD_PATCH.height)
        .map(|y| {
            let v = 1.0 - y as f32 / (atlas::HEAD_PATCH.height - 1) as f32;
            let upper = (1..head.grid_rows.len()).find(|&r| {
                head.texture_v_of_grid_row(r) >= v && head.texture_v_of_grid_row(r) > head.texture_v_of_grid_row(r - 1)
            });
            let upper = upper.unwrap_or(head.grid_rows.len() - 1);
            let (low, high) = (head.texture_v_of_grid_row(upper - 1), head.texture_v_of_grid_row(upper));
            (upper - 1, ((v - low) / (high - low)).clamp(0.0, 1.0))
        })
        .collect();
    for (x, y, place) in atlas::HEAD_PATCH.pixels_with_patch_position() {
        let (row, up) = lines[(y - atlas::HEAD_PATCH.y) as usize];
        let across = place.x * (width - 1) as f32;
        let column = (across as usize).min(width - 2);
        let along = across - column as f32;
        let corner = |r: usize, c: usize| &skin_samples[r * width + c];
        let (a, b) = (corner(row, column), corner(row, column + 1));
        let (c, d) = (corner(row + 1, column), corner(row + 1, column + 1));
        let share = [(1.0 - along) * (1.0 - up), along * (1.0 - up), (1.0 - along) * up, along * up];
        let blend =
            |f: fn(&VertexPaintValues) -> Vec3| f(a) * share[0] + f(b) * share[1] + f(c) * share[2] + f(d) * share[3];
        let p = blend(|g| g.position);
        let mut tone = blend(|g| g.tone);
        if p.y > -9.0 {
            tone = tone_with_hair_roots(sculpt, p, tone);
        }
        let seen = blend(|g| vec3(g.grid_position.x, g.grid_position.y, g.photo_share));
        if p.z > 2.0 && p.y > -12.0 {
            let nostril = (vec3(p.x.abs(), p.y, p.z) - sculpt.left_nostril_centre()) / vec3(0.2, 0.2, 0.42);
            tone = tone.lerp(palette.shade * 0.4, 0.7 * exp_of_negative_square(nostril.length()));
            tone = tone_with_age_lines(&sculpt.character, palette, p, tone);
            tone = tone_with_lips_and_freckles(sculpt, palette, p, vec2(seen.x, seen.y), tone);
            if seen.y > -1.5 && seen.y < 4.0 {
                tone = tone_with_brow_and_lids(sculpt, palette, vec2(seen.x, seen.y), tone);
            }
        }
        if let Some(photo) = photo
            && seen.z > 0.0
        {
            tone = tone.lerp(photo.tone_at_face_point(p), seen.z);
        }
        if p.y < -11.5 {
            let open = blend(|g| Vec3::splat(g.openness)).x;
            let knit = 1.0 + 0.05 * (value_noise(p * vec3(9.0, 3.0, 9.0)) - 0.5);
            tone = tone.lerp(sculpt.character.shirt_tone * lerp(0.6, 1.0, open) * knit, shirt_blend_weight(p, 0.0));
            // The shadow below the collar.
            tone *= 1.0 - 0.2 * smoothstep(-2.4, -0.5, height_above_shirt_edge(p)) * shirt_blend_weight(p, 0.0);
        }
        tone *= 1.0 + 0.03 * (pixel_noise(x, y) - 0.5);
        image.put_pixel(x, y, color_to_rgb8(tone));
    }
}

/// Adds the roots of the hair, which soften the edge of the hair's shell.
fn tone_with_hair_roots(sculpt: &HeadDistanceField, p: Vec3, tone: Color) -> Color {
    // No style grows hair on the middle of the face.
    if p.y < 3.0 && p.z > 4.0 {
        return tone;
    }
    let who = &sculpt.character;
    let over = degrees_above_hairline(sculpt, p);
    if over < -8.0 {
        return tone;
    }
    let angle = p.x.atan2(p.z);
    let strands = value_noise(vec3(angle * 46.0, p.y * 0.8, who.noise_offset))
        + 0.6 * value_noise(vec3(angle * 110.0, p.y * 1.4, who.noise_offset));
    let cover = smoothstep(-3.5, 3.5, over + 5.0 * (strands - 0.8));
    tone.lerp(who.hair_tone * lerp(0.66, 0.86, strands * 0.6), 0.9 * cover)
}

/// Adds an eyebrow's soft mass, lid crease and lines of age to the colour of a pixel.
fn tone_with_brow_and_lids(
    sculpt: &HeadDistanceField,
    palette: &SkinDerivedColors,
    place: Vec2,
    mut tone: Color,
) -> Color {
    let who = &sculpt.character;
    let theta = place.x.abs();
    let t = (theta - BROW_ANGLES.0) / (BROW_ANGLES.1 - BROW_ANGLES.0);
    if t > -0.1 && t < 1.1 {
        let half = brow_half_height(who, t.clamp(0.0, 1.0));
        let d = (place.y - brow_middle_row_at(who, t.clamp(0.0, 1.0))) / half.max(0.06);
        // Hairs lean outwards on the way up.
        let lean = theta * 7.6 - 0.55 * place.y;
        let hairs = value_noise(vec3(lean * 15.0, place.y * 1.6, who.noise_offset));
        let ends = smoothstep(-0.06, 0.2, t) * smoothstep(1.06, 0.85, t);
        let mass = smoothstep(1.35, 0.25, d.abs() + 0.5 * (hairs - 0.5)) * ends;
        tone = tone.lerp(brow_tone(who), 0.72 * mass * lerp(0.65, 1.0, hairs));
    }
    let (middle, half) = sculpt.eye_middle_and_half_width_angles();
    let s = (theta - middle) / half;
    if s.abs() < 1.35 {
        let ends = smoothstep(1.3, 0.7, s.abs());
        // The crease of the upper lid, and the shade in it.
        let crease = place.y - (0.5 - 0.16 * s * s);
        tone = tone.lerp(palette.shade * vec3(0.8, 0.72, 0.7), 0.6 * ends * exp_of_negative_square(crease / 0.085));
        tone = tone.lerp(palette.shade, 0.3 * ends * exp_of_negative_square((crease + 0.05) / 0.3));
        // The roots of the lashes, and the edge of the lower lid.
        let root = if place.y > 0.0 {
            exp_of_negative_square(place.y / 0.07) * lerp(0.35, 0.75, who.lash_length)
        } else {
            0.0
        };
        tone = tone.lerp(lash_tone(who), root * smoothstep(1.12, 0.95, s.abs()));
        let lower = if place.y <= 0.0 { exp_of_negative_square((place.y + 0.12) / 0.09) } else { 0.0 };
        tone = tone.lerp(lash_tone(who).lerp(palette.shade, 0.6), 0.3 * lower * smoothstep(1.1, 0.8, s.abs()));
    }
    tone
}

/// Adds lines of age to the colour of a pixel: beside nose and mouth, and below the eyes.
fn tone_with_age_lines(who: &HeadTraits, palette: &SkinDerivedColors, p: Vec3, tone: Color) -> Color {
    let strength = smoothstep(0.5, 1.0, who.age) * 0.42;
    if strength <= 0.0 || p.z < 3.0 {
        return tone;
    }
    let side = p.x.abs();
    let fold_x = 1.75 + 0.52 * (-4.0 - p.y) + 0.05 * (p.y + 5.5).powi(2);
    let fold =
        exp_of_negative_square((side - fold_x) / 0.16) * smoothstep(-3.4, -4.6, p.y) * smoothstep(-7.6, -6.2, p.y);
    let bag_y = -1.5 - 0.1 * (1.0 - ((side - 3.2) / 1.5).powi(2));
    let bag = exp_of_negative_square((p.y - bag_y) / 0.13) * smoothstep(1.5, 0.9, (side - 3.1).abs());
    let brow_lines = [4.0, 4.9, 5.8]
        .into_iter()
        .map(|y| exp_of_negative_square((p.y - y - 0.12 * (p.x * 0.7 + y).sin()) / 0.09))
        .sum::<f32>()
        * smoothstep(4.4, 2.6, side);
    let lines = (fold * 0.9 + bag * 0.7 + brow_lines * 0.25) * strength;
    tone.lerp(palette.shade, lines.min(1.0))
}

/// The colour of eyebrows.
fn brow_tone(who: &HeadTraits) -> Color {
    who.hair_tone.lerp(color_from_24_bit_rgb(0x0040_2e25), 0.5) * 0.95
}

/// The colour of lashes.
fn lash_tone(who: &HeadTraits) -> Color {
    color_from_24_bit_rgb(0x0024_1a17).lerp(who.hair_tone * 0.5, 0.25)
}

/// Adds lips and freckles to the colour of a pixel.
fn tone_with_lips_and_freckles(
    sculpt: &HeadDistanceField,
    palette: &SkinDerivedColors,
    p: Vec3,
    place: Vec2,
    mut tone: Color,
) -> Color {
    let who = &sculpt.character;
    let m = place.x / (sculpt.mouth_half_angle() * 1.02);
    if m.abs() < 1.05 {
        let d = place.y - MOUTH_ROW;
        let bow = 1.0 - 0.2 * exp_of_negative_square(m / 0.13);
        let taper = (1.0 - m * m).max(0.0);
        let upper = 0.86 * who.lip_fullness.sqrt() * bow * taper.powf(0.75);
        let lower = 1.16 * who.lip_fullness.sqrt() * taper.powf(0.6);
        let inside = if d > 0.0 {
            smoothstep(upper + 0.14, upper - 0.2, d)
        } else {
            smoothstep(-lower - 0.16, -lower + 0.26, d)
        };
        let crease = if inside > 0.0 { value_noise(vec3(p.x * 7.0, p.y * 1.5, who.noise_offset)) - 0.5 } else { 0.0 };
        let lip = palette.lips
            * (1.0 + 0.06 * crease)
            * lerp(1.0, 0.72, exp_of_negative_square(d / 0.13))
            * if d > 0.0 {
                0.9
            } else {
                1.0 + 0.1 * exp_of_negative_square((d + 0.55) / 0.3) * exp_of_negative_square(m / 0.5)
            };
        tone = tone.lerp(lip, 0.9 * inside * smoothstep(0.0, 0.06, taper));
    }
    if who.freckle_strength > 0.0 {
        let q = p * 2.6 + Vec3::splat(who.noise_offset);
        let spread =
            exp_of_negative_square((p.y + 2.4) / 1.9) * exp_of_negative_square(p.x / 5.2) * smoothstep(4.5, 6.0, p.z);
        if spread > 0.02 {
            let dense = spread * who.freckle_strength * smoothstep(0.35, 0.6, value_noise(q * 0.8));
            let dot = smoothstep(0.24, 0.1, worley_noise(q)) * dense;
            tone = tone.lerp(palette.skin * vec3(0.72, 0.5, 0.36), 0.6 * dot);
        }
    }
    tone
}

/// Paints the patch that both eyeballs share: white, iris, pupil and highlights.
fn paint_shared_eyeball_patch(image: &mut RgbImage, iris: Color) {
    for (x, y, place) in atlas::EYE_PATCH.pixels_with_patch_position() {
        let d = (place - 0.5) * 2.0;
        let out = d.length();
        let turn = d.y.atan2(d.x);
        let (pupil, rim) = (0.095, 0.262);
        // The white is grey-blue towards the lids and pink in the corners.
        let mut white =
            color_from_24_bit_rgb(0x00ee_eae6).lerp(color_from_24_bit_rgb(0x00d8_aaa0), smoothstep(0.36, 0.8, out));
        white *= lerp(1.0, 0.62, smoothstep(0.02, -0.42, d.y)) * lerp(1.0, 0.86, smoothstep(0.15, 0.5, d.y));
        white *= lerp(1.0, 0.84, exp_of_negative_square((out - rim) / 0.06));
        let threads = 0.6 * value_noise(vec3(turn.cos() * 11.0, turn.sin() * 11.0, out * 4.0))
            + 0.4 * value_noise(vec3(turn.cos() * 27.0, turn.sin() * 27.0, out * 6.0 + 9.0));
        // Light from above gathers in the lower half of the iris.
        let lit = lerp(0.5, 1.22, smoothstep(-rim, rim, d.y));
        let mut coloured = iris * lit * lerp(0.7, 1.3, threads);
        coloured = coloured.lerp(
            iris * 1.35 + vec3(0.08, 0.06, 0.02),
            0.5 * exp_of_negative_square((out - pupil - 0.05) / 0.035) * lit,
        );
        coloured = coloured.lerp(iris * 0.18, smoothstep(rim - 0.075, rim - 0.01, out));
        coloured = coloured.lerp(color_from_24_bit_rgb(0x000e_0a0a), smoothstep(pupil + 0.012, pupil - 0.012, out));
        let mut tone = coloured.lerp(white, smoothstep(rim - 0.014, rim + 0.02, out));
        tone *= lerp(1.0, 0.72, smoothstep(-0.1, -0.24, d.y));
        let shine = smoothstep(0.052, 0.034, ((d - vec2(0.08, -0.1)) * vec2(1.0, 0.85)).length());
        let glint = 0.35 * smoothstep(0.03, 0.014, (d - vec2(-0.09, 0.11)).length());
        tone = tone.lerp(Vec3::ONE, shine.max(glint));
        image.put_pixel(x, y, color_to_rgb8(tone));
    }
}

/// Paints the patch of the hair as strands of the hair's colour. Its left and right edge match.
fn paint_hair(image: &mut RgbImage, sculpt: &HeadDistanceField) {
    let who = &sculpt.character;
    for (x, y, place) in atlas::HAIR_PATCH.pixels_with_patch_position() {
        // Periodic in x, so that the back of the head has no seam.
        let turn = place.x * std::f32::consts::TAU;
        let ring = vec3(turn.cos(), turn.sin(), 0.0);
        let strands = value_noise(ring * 26.0 + vec3(0.0, 0.0, place.y * 3.0 + who.noise_offset));
        let fine = value_noise(ring * 70.0 + vec3(0.0, 0.0, place.y * 4.0));
        let tips = lerp(0.86, 1.08, place.y);
        let tone = who.hair_tone * lerp(0.78, 1.25, strands) * lerp(0.9, 1.1, fine) * tips;
        image.put_pixel(x, y, color_to_rgb8(tone));
    }
}

/// Paints ears, mouth, teeth, tongue, eyebrows, lashes and the rims of the lids.
fn paint_ears_mouth_and_lashes(image: &mut RgbImage, sculpt: &HeadDistanceField, palette: &SkinDerivedColors) {
    let who = &sculpt.character;
    for (x, y, place) in atlas::EAR_PATCH.pixels_with_patch_position() {
        let d = (place - 0.5) * 2.0;
        let out = d.length();
        let bowl = exp_of_negative_square((d - vec2(-0.05, 0.12)).length() / 0.36);
        let groove = exp_of_negative_square((out - 0.76) / 0.09) * smoothstep(0.5, -0.2, d.y);
        let mut tone = palette.skin.lerp(palette.blush, 0.35 + 0.4 * smoothstep(0.6, 1.0, out));
        tone = tone.lerp(palette.shade, (0.75 * bowl + 0.35 * groove).min(0.8));
        image.put_pixel(x, y, color_to_rgb8(tone));
    }
    for (x, y, place) in atlas::MOUTH_PATCH.pixels_with_patch_position() {
        let tone = (palette.lips * 0.86).lerp(color_from_24_bit_rgb(0x0042_1518), smoothstep(0.12, 0.5, place.y));
        image.put_pixel(
            x,
            y,
            color_to_rgb8(tone.lerp(color_from_24_bit_rgb(0x001c_0809), smoothstep(0.55, 0.95, place.y))),
        );
    }
    for (x, y, place) in atlas::TEETH_PATCH.pixels_with_patch_position() {
        let enamel = color_from_24_bit_rgb(0x00ea_e3d6) * lerp(0.8, 1.0, smoothstep(0.1, 0.6, place.y));
        image.put_pixel(
            x,
            y,
            color_to_rgb8(color_from_24_bit_rgb(0x00b8_6a66).lerp(enamel, smoothstep(0.08, 0.16, place.y))),
        );
    }
    for (x, y, place) in atlas::TONGUE_PATCH.pixels_with_patch_position() {
        let furrow = exp_of_negative_square((place.x - 0.5) / 0.06) * smoothstep(0.05, 0.3, place.y);
        let buds = value_noise(vec3(place.x * 40.0, place.y * 28.0, who.noise_offset)) - 0.5;
        let tone = color_from_24_bit_rgb(0x00c9_6a6c) * (1.0 - 0.2 * furrow) * (1.0 + 0.12 * buds);
        image.put_pixel(x, y, color_to_rgb8(tone * lerp(1.0, 0.55, smoothstep(0.4, 1.0, place.y))));
    }
    let dark = brow_tone(who).lerp(palette.skin, 0.3);
    for (x, y, place) in atlas::BROW_PATCH.pixels_with_patch_position() {
        let hairs = value_noise(vec3(place.x * 34.0 - place.y * 10.0, place.y * 3.0, who.noise_offset));
        image.put_pixel(x, y, color_to_rgb8(dark * lerp(0.8, 1.2, hairs)));
    }
    let lash = lash_tone(who);
    for (x, y, _) in atlas::LASH_PATCH.pixels_with_patch_position() {
        image.put_pixel(x, y, color_to_rgb8(lash));
    }
    let rim = palette.skin.lerp(palette.lips, 0.5) * 0.92;
    for (x, y, place) in atlas::LID_RIM_PATCH.pixels_with_patch_position() {
        // The left half is the upper rim.
        let tone = if place.x < 0.5 { rim.lerp(lash, lerp(0.25, 0.7, who.lash_length)) } else { rim };
        image.put_pixel(x, y, color_to_rgb8(tone));
    }
}

/// Converts a colour to 8-bit components.
fn color_to_rgb8(tone: Color) -> Rgb<u8> {
    let part = |x: f32| (x.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    Rgb([part(tone.x), part(tone.y), part(tone.z)])
}
