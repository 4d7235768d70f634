//! Writes GLB and portrait of generated avatars into a folder, and prints how long each took. `--face` puts a picture
//! on them: `cargo run --release -p copresence-avatar --example heads -- FOLDER [SEED…] [--face=PICTURE]`.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("usage: heads FOLDER [SEED…] [--face=PICTURE]")?);
    let (pictures, seeds): (Vec<String>, Vec<String>) = args.partition(|arg| arg.starts_with("--face="));
    let face = match pictures.first().and_then(|arg| arg.strip_prefix("--face=")) {
        Some(path) => Some(image::open(path)?.to_rgb8()),
        None => None,
    };
    let seeds = seeds.iter().map(|seed| seed.parse()).collect::<Result<Vec<u64>, _>>()?;
    std::fs::create_dir_all(&folder)?;
    for seed in if seeds.is_empty() { (0..8).collect() } else { seeds } {
        let started = Instant::now();
        let files = copresence_avatar::build_avatar(seed, face.as_ref());
        println!("seed {seed}: {} ms, GLB of {} bytes", started.elapsed().as_millis(), files.glb.len());
        std::fs::write(folder.join(format!("{seed}.glb")), &files.glb)?;
        std::fs::write(folder.join(format!("{seed}.png")), &files.png)?;
    }
    Ok(())
}
