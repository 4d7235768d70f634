//! The window test's own eyes: that they read what is on a screen, and see nothing where nothing is.
#![cfg(target_os = "linux")]

use product_tests::window::{Desk, Part, Phone, Trouble, colours, decode_qr, photograph};
use qrcode::QrCode;
use qrcode::render::svg;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_read_off_the_screen_and_a_blank_canvas_is_told_from_a_drawn_one() -> Result<(), Trouble> {
    let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("eyes");
    let desk = Desk::set_up(&logs)?;
    let phone = Phone::switch_on(&desk).await?;
    let says = "http://127.0.0.1:8787/phone?exportToken=a%2Bb";
    let page = desk.data().join("page.html");
    let code = QrCode::new(says)?.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    fs::write(
        &page,
        format!("<body>{}{SCRIPT}", code.replace("<?xml version=\"1.0\" standalone=\"yes\"?>", "")),
    )?;

    phone.open_address(&format!("file://{}", page.display())).await?;
    phone.record_changes("#step", "data-step").await?;
    phone.press("#go", SOON).await?;
    phone.see("#step[data-step='3']", SOON).await?;
    assert_eq!(phone.recorded().await?, ["1", "2", "3"], "each step is seen, however short");

    for (id, several) in [("blank", false), ("drawn", true)] {
        let picture = logs.join(format!("{id}.png"));
        phone.see(&format!("#{id}"), SOON).await?.screenshot(&picture).await?;
        let count = colours(&picture, Part::WHOLE)?;
        assert_eq!(count > 200, several, "{id}: {count}");
    }

    let picture = logs.join("code.png");
    let deadline = Instant::now() + SOON;
    let read = loop {
        photograph(&desk, phone.screen(), &picture)?;
        let read = decode_qr(&desk, &picture)?;
        if !read.is_empty() || Instant::now() > deadline {
            break read;
        }
    };
    assert_eq!(read, [says]);

    phone.open_address("about:blank").await?;
    phone.switch_off().await?;
    assert_eq!(desk.leftovers(), Vec::<String>::new());
    Ok(())
}

const SCRIPT: &str = "<p id=step data-step=1><button id=go>go</button></p>
    <canvas id=blank width=80 height=60></canvas> <canvas id=drawn width=80 height=60></canvas>
    <script>
      const draw = drawn.getContext('2d');
      const light = draw.createLinearGradient(0, 0, 80, 60);
      light.addColorStop(0, 'navy'); light.addColorStop(0.5, 'gold'); light.addColorStop(1, 'white');
      draw.fillStyle = light; draw.fillRect(0, 0, 80, 60);
      go.onclick = async () => { for (const n of [2, 3]) { step.dataset.step = n; await Promise.resolve(); } };
    </script>";
