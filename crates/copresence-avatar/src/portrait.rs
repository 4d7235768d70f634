//! A small software renderer with three lights and a soft background, for the portrait.

use glam::{Mat3, Vec2, Vec3, vec3};
use image::{Rgb, RgbImage};

use super::atlas;
use super::maths::{lerp, smoothstep, value_noise};
use super::mesh::Mesh;

/// Width and height of the portrait in pixels.
pub(super) const PORTRAIT_SIZE: (u32, u32) = (512, 640);
/// Samples in each pixel, on each axis.
const SAMPLES_PER_AXIS: u32 = 2;
/// Width and height of the shadow map in pixels.
const SHADOW_MAP_SIZE: u32 = 640;

/// How a surface reflects light.
#[derive(Clone, Copy)]
pub(super) struct SurfaceFinish {
    /// Strength of the highlight, 0..=1.
    pub(super) gloss_strength: f32,
    /// Exponent of the highlight: higher is sharper.
    pub(super) gloss_exponent: f32,
    /// Share of the light that scatters below the surface and comes out red, as in skin; 0..=1.
    pub(super) scatter_share: f32,
}

/// A mesh and its finish.
pub(super) type RenderedPart<'a> = (&'a Mesh, SurfaceFinish);

/// Renders the parts in front of a background of the colour `backdrop`.
pub(super) fn render_parts_on_backdrop(parts: &[RenderedPart], texture: &RgbImage, backdrop: Vec3) -> RgbImage {
    let (width, height) = (PORTRAIT_SIZE.0 * SAMPLES_PER_AXIS, PORTRAIT_SIZE.1 * SAMPLES_PER_AXIS);
    let camera = Camera::new(width, height);
    let light = KeyLight::new();
    let mut shadow = DepthBuffer::new(SHADOW_MAP_SIZE, SHADOW_MAP_SIZE);
    let mut canvas = DepthBuffer::new(width, height);
    for (index, (mesh, _)) in parts.iter().enumerate() {
        canvas.draw_mesh(mesh, index, |p| camera.project_to_portrait(p));
        shadow.draw_mesh(mesh, index, |p| light.project_to_shadow_map(p));
    }
    let shade = |hit: &SurfaceHit| -> Vec3 {
        let (mesh, finish) = parts[hit.part as usize];
        let corners = mesh.triangles[hit.triangle as usize];
        let rest = 1.0 - hit.weight_b - hit.weight_c;
        let blend = |of: &[Vec3]| {
            of[corners[0] as usize] * rest
                + of[corners[1] as usize] * hit.weight_b
                + of[corners[2] as usize] * hit.weight_c
        };
        let [a, b, c] = corners.map(|i| mesh.uvs[i as usize]);
        let base = sample_texture_in_linear_light(texture, a * rest + b * hit.weight_b + c * hit.weight_c);
        let p = blend(&mesh.positions);
        let normal = blend(&mesh.normals).normalize_or_zero();
        let lit = light.light_share_at_point(&shadow, p, normal);
        shade_surface(base, normal, (camera.position - p).normalize(), finish, lit)
    };
    let mut image = RgbImage::new(PORTRAIT_SIZE.0, PORTRAIT_SIZE.1);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let mut sum = Vec3::ZERO;
        let mut last: Option<(&SurfaceHit, Vec3)> = None;
        for sub in 0..SAMPLES_PER_AXIS * SAMPLES_PER_AXIS {
            let (fx, fy) =
                (x * SAMPLES_PER_AXIS + sub % SAMPLES_PER_AXIS, y * SAMPLES_PER_AXIS + sub / SAMPLES_PER_AXIS);
            let hit = &canvas.hits[(fy * width + fx) as usize];
            // Samples of a pixel on the same surface share its shade, so that only edges are shaded more than once.
            let tone = match last {
                Some((before, tone)) if hit.is_same_surface(before) => tone,
                _ if hit.depth < f32::MAX => tone_map_to_srgb(shade(hit)),
                _ => background_tone(fx as f32 / width as f32, fy as f32 / height as f32, backdrop),
            };
            last = Some((hit, tone));
            sum += tone;
        }
        let grain = (value_noise(vec3(x as f32 * 0.9, y as f32 * 0.9, 1.0)) - 0.5) * 0.006;
        *pixel = Rgb((sum / (SAMPLES_PER_AXIS * SAMPLES_PER_AXIS) as f32 + grain)
            .to_array()
            .map(|c| (c.clamp(0.0, 1.0) * 255.0 + 0.5) as u8));
    }
    image
}

/// The linear light that a surface point reflects to the viewer; `lit` is the share of the key light that reaches it.
fn shade_surface(base: Vec3, normal: Vec3, view: Vec3, finish: SurfaceFinish, lit: f32) -> Vec3 {
    let key = vec3(-0.5, 0.55, 0.67).normalize();
    let fill = vec3(0.8, 0.1, 0.55).normalize();
    let rim = vec3(0.65, 0.4, -0.65).normalize();
    let wrap = |l: Vec3, by: f32| ((normal.dot(l) + by) / (1.0 + by)).max(0.0);
    // Light that scatters in skin comes out red at the edge of the shadow.
    let direct = |l: Vec3, lit: f32| {
        let plain = wrap(l, 0.06) * lit;
        let through = wrap(l, 0.38) * lerp(0.5, 1.0, lit);
        Vec3::splat(plain).lerp(
            vec3(lerp(plain, through, 0.75), lerp(plain, through, 0.3), lerp(plain, through, 0.2)),
            finish.scatter_share,
        )
    };
    let sky = vec3(0.34, 0.38, 0.46).lerp(vec3(0.3, 0.22, 0.18), 0.5 - 0.5 * normal.y);
    let mut light = sky * 0.62;
    light += vec3(1.0, 0.93, 0.84) * 1.25 * direct(key, lit);
    light += vec3(0.62, 0.74, 0.95) * 0.32 * direct(fill, 1.0);
    let back = wrap(rim, 0.0) * (1.0 - normal.dot(view).max(0.0)).powi(2);
    light += vec3(1.0, 0.92, 0.85) * 1.6 * back;
    let gloss = |l: Vec3| normal.dot((l + view).normalize()).max(0.0).powf(finish.gloss_exponent);
    let edge = 0.05 + 0.95 * (1.0 - normal.dot(view).max(0.0)).powi(5);
    base * light
        + Vec3::splat(finish.gloss_strength * (gloss(key) * lit + 0.3 * gloss(fill)))
        + vec3(0.9, 0.95, 1.0) * (0.08 * edge * finish.gloss_strength.min(0.5))
}

/// The background at a position of the portrait, 0..=1 on each axis.
fn background_tone(x: f32, y: f32, tone: Vec3) -> Vec3 {
    let glow = smoothstep(0.85, 0.0, ((x - 0.5) * 0.95).hypot(y - 0.42));
    let light = tone.lerp(Vec3::splat(0.97), 0.62);
    let deep = tone.lerp(vec3(0.16, 0.18, 0.24), 0.45);
    deep.lerp(light, glow) * lerp(1.0, 0.92, y)
}

/// The camera of the portrait: a pinhole camera that looks at the head from the front, a little from the side.
struct Camera {
    position: Vec3,
    rotation: Mat3,
    focal_length: f32,
    image_centre: Vec2,
}

impl Camera {
    /// A camera a little to the side of the head. Above the hair and below the chin there is room for a round frame.
    fn new(width: u32, height: u32) -> Self {
        let target = vec3(0.0, -0.9, 0.0);
        let direction = vec3(-0.27, 0.035, 1.0).normalize();
        let distance = 96.0;
        let right = Vec3::Y.cross(direction).normalize();
        let up = direction.cross(right);
        Self {
            position: target + direction * distance,
            rotation: Mat3::from_cols(right, up, direction).transpose(),
            // The height of the portrait shows 40 cm.
            focal_length: height as f32 / 40.0 * distance,
            image_centre: Vec2::new(width as f32 / 2.0, height as f32 / 2.0),
        }
    }

    /// A point in pixels of the portrait, with its distance in Z.
    fn project_to_portrait(&self, p: Vec3) -> Vec3 {
        let seen = self.rotation * (p - self.position);
        let scale = self.focal_length / -seen.z;
        vec3(self.image_centre.x + seen.x * scale, self.image_centre.y - seen.y * scale, -seen.z)
    }
}

/// The key light, which casts shadows.
struct KeyLight {
    rotation: Mat3,
}

impl KeyLight {
    const PIXELS_PER_CM: f32 = SHADOW_MAP_SIZE as f32 / 56.0;

    fn new() -> Self {
        let direction = vec3(-0.5, 0.55, 0.67).normalize();
        let right = Vec3::Y.cross(direction).normalize();
        Self { rotation: Mat3::from_cols(right, direction.cross(right), direction).transpose() }
    }

    /// A point in pixels of the shadow map, with its distance in Z.
    fn project_to_shadow_map(&self, p: Vec3) -> Vec3 {
        let seen = self.rotation * p;
        let half = SHADOW_MAP_SIZE as f32 / 2.0;
        vec3(half + seen.x * Self::PIXELS_PER_CM, half - seen.y * Self::PIXELS_PER_CM, 60.0 - seen.z)
    }

    /// Share of the light that reaches a point (0..=1), softened at the edge of the shadow.
    fn light_share_at_point(&self, shadow: &DepthBuffer, p: Vec3, normal: Vec3) -> f32 {
        let at = self.project_to_shadow_map(p + normal * 0.25);
        let mut sum = 0.0;
        for dy in -1..=1_i32 {
            for dx in -1..=1_i32 {
                let (x, y) = ((at.x + dx as f32 * 2.6) as i32, (at.y + dy as f32 * 2.6) as i32);
                let inside = (0..SHADOW_MAP_SIZE as i32).contains(&x) && (0..SHADOW_MAP_SIZE as i32).contains(&y);
                let free = !inside || shadow.hits[(y * SHADOW_MAP_SIZE as i32 + x) as usize].depth > at.z - 0.25;
                sum += if free { 1.0 } else { 0.0 };
            }
        }
        sum / 9.0
    }
}

/// The nearest surface at a pixel.
#[derive(Clone, Copy)]
struct SurfaceHit {
    depth: f32,
    triangle: u32,
    part: u32,
    /// Barycentric weights of the triangle's second and third corner.
    weight_b: f32,
    weight_c: f32,
}

impl SurfaceHit {
    /// Whether this hit and a neighbouring one are on the same surface, so that they can share a shade.
    fn is_same_surface(&self, other: &Self) -> bool {
        self.depth.to_bits() == other.depth.to_bits()
            || (self.part == other.part && (self.depth - other.depth).abs() < 0.12)
    }
}

/// The nearest surface at each pixel of a picture.
struct DepthBuffer {
    width: u32,
    height: u32,
    hits: Vec<SurfaceHit>,
}

impl DepthBuffer {
    fn new(width: u32, height: u32) -> Self {
        let empty = SurfaceHit { depth: f32::MAX, triangle: 0, part: 0, weight_b: 0.0, weight_c: 0.0 };
        Self { width, height, hits: vec![empty; (width * height) as usize] }
    }

    /// Draws the triangles that face the viewer; `see` projects points to pixels and depth.
    fn draw_mesh(&mut self, mesh: &Mesh, part: usize, see: impl Fn(Vec3) -> Vec3) {
        let seen: Vec<Vec3> = mesh.positions.iter().map(|&p| see(p)).collect();
        for (index, corners) in mesh.triangles.iter().enumerate() {
            let [a, b, c] = corners.map(|i| seen[i as usize]);
            let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
            // Rows of pixels go down, so that front faces are clockwise here.
            if area >= -1e-9 {
                continue;
            }
            let low = a.min(b).min(c).floor().max(Vec3::ZERO);
            let high = a.max(b).max(c).ceil();
            for y in low.y as u32..(high.y.max(0.0) as u32 + 1).min(self.height) {
                for x in low.x as u32..(high.x.max(0.0) as u32 + 1).min(self.width) {
                    let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
                    let wb = ((px - a.x) * (c.y - a.y) - (py - a.y) * (c.x - a.x)) / area;
                    let wc = ((b.x - a.x) * (py - a.y) - (b.y - a.y) * (px - a.x)) / area;
                    if wb < 0.0 || wc < 0.0 || wb + wc > 1.0 {
                        continue;
                    }
                    let depth = a.z + (b.z - a.z) * wb + (c.z - a.z) * wc;
                    let hit = &mut self.hits[(y * self.width + x) as usize];
                    if depth < hit.depth {
                        *hit =
                            SurfaceHit { depth, triangle: index as u32, part: part as u32, weight_b: wb, weight_c: wc };
                    }
                }
            }
        }
    }
}

/// The texture's colour in linear light, interpolated between pixels.
fn sample_texture_in_linear_light(texture: &RgbImage, uv: Vec2) -> Vec3 {
    let at = (uv * atlas::TEXTURE_SIZE as f32 - 0.5).clamp(Vec2::ZERO, Vec2::splat(atlas::TEXTURE_SIZE as f32 - 1.001));
    let (x, y) = (at.x as u32, at.y as u32);
    let fetch = |x: u32, y: u32| {
        let [r, g, b] = texture.get_pixel(x, y).0;
        vec3(f32::from(r), f32::from(g), f32::from(b)) / 255.0
    };
    let upper = fetch(x, y).lerp(fetch(x + 1, y), at.x.fract());
    let lower = fetch(x, y + 1).lerp(fetch(x + 1, y + 1), at.x.fract());
    let display = upper.lerp(lower, at.y.fract());
    // A polynomial close to the sRGB curve, much cheaper than a power.
    display * (display * (display * 0.305_306 + 0.682_171_1) + 0.012_522_878)
}

/// Linear light as sRGB values, with compressed highlights.
fn tone_map_to_srgb(light: Vec3) -> Vec3 {
    let rolled = light * (1.0 + light * 0.12) / (1.0 + light * 0.28);
    // The sRGB curve by square roots, much cheaper than a power.
    let root = |v: Vec3| Vec3::from(v.to_array().map(f32::sqrt));
    let half = root(rolled.max(Vec3::ZERO));
    let quarter = root(half);
    half * 0.585_122_4 + quarter * 0.783_140_4 - root(quarter) * 0.368_262_7
}
