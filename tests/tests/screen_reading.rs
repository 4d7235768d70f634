//! Tests of the window tests' own tools: QR codes are decoded from screenshots, and blank areas are recognised.
#![cfg(target_os = "linux")]

use product_tests::window::{
    DesktopSession, HarnessError, Phone, PixelRect, count_colours, decode_qr_codes, take_screenshot,
};
use qrcode::QrCode;
use qrcode::render::svg;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const RENDER_TIMEOUT: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_qr_code_is_decoded_and_a_blank_canvas_differs_from_a_drawn_one() -> Result<(), HarnessError> {
    let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screen-reading");
    let desktop = DesktopSession::set_up(&logs)?;
    let phone = Phone::switch_on(&desktop).await?;
    let link = "http://127.0.0.1:8787/phone?exportToken=a%2Bb";
    let page = desktop.data().join("page.html");
    let qr_code = QrCode::new(link)?.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    fs::write(&page, format!("<body>{}{SCRIPT}", qr_code.replace("<?xml version=\"1.0\" standalone=\"yes\"?>", "")))?;

    phone.open_address(&format!("file://{}", page.display())).await?;
    phone.record_changes("#step", "data-step").await?;
    phone.click_element("#go", RENDER_TIMEOUT).await?;
    phone.await_element("#step[data-step='3']", RENDER_TIMEOUT).await?;
    assert_eq!(phone.recorded_values().await?, ["1", "2", "3"], "each step is recorded, however short");

    for (id, is_drawn) in [("blank", false), ("drawn", true)] {
        let picture = logs.join(format!("{id}.png"));
        phone.await_element(&format!("#{id}"), RENDER_TIMEOUT).await?.screenshot(&picture).await?;
        let count = count_colours(&picture, PixelRect::WHOLE)?;
        assert_eq!(count > 200, is_drawn, "{id}: {count}");
    }

    let picture = logs.join("code.png");
    let deadline = Instant::now() + RENDER_TIMEOUT;
    let decoded = loop {
        take_screenshot(&desktop, phone.screen(), &picture)?;
        let decoded = decode_qr_codes(&desktop, &picture)?;
        if !decoded.is_empty() || Instant::now() > deadline {
            break decoded;
        }
    };
    assert_eq!(decoded, [link]);

    phone.open_address("about:blank").await?;
    phone.switch_off().await?;
    assert_eq!(desktop.leftovers(), Vec::<String>::new());
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
