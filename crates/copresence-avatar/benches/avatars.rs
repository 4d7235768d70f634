//! Measures how long an avatar takes, with and without a visitor's picture: `cargo bench -p copresence-avatar`.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use image::{Rgb, RgbImage};

fn bench_avatars(criterion: &mut Criterion) {
    let picture = RgbImage::from_fn(512, 512, |x, y| {
        Rgb(if (x / 64 + y / 64) % 2 == 0 { [214, 160, 120] } else { [190, 130, 96] })
    });
    let mut group = criterion.benchmark_group("avatar");
    group.sample_size(16);
    for (name, face) in [("generated", None), ("with a picture", Some(&picture))] {
        let mut seed = 0;
        group.bench_function(name, |bench| {
            let next = || {
                seed += 1;
                seed
            };
            bench.iter_batched(next, |seed| copresence_avatar::build_avatar(seed, face), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, bench_avatars);
criterion_main!(benches);
