//! Writes GLB and portrait of generated avatars into a folder, and prints how long each took:
//! `cargo run --release -p copresence-avatar --example heads -- FOLDER [SEED…]`.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("usage: heads FOLDER [SEED…]")?);
    let seeds = args.map(|seed| seed.parse()).collect::<Result<Vec<u64>, _>>()?;
    std::fs::create_dir_all(&folder)?;
    for seed in if seeds.is_empty() { (0..8).collect() } else { seeds } {
        let started = Instant::now();
        let files = copresence_avatar::build_avatar(seed, None);
        println!("seed {seed}: {} ms, GLB of {} bytes", started.elapsed().as_millis(), files.glb.len());
        std::fs::write(folder.join(format!("{seed}.glb")), &files.glb)?;
        std::fs::write(folder.join(format!("{seed}.png")), &files.png)?;
    }
    Ok(())
}
