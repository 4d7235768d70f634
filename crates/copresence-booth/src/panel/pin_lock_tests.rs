use super::*;
use copresence_store::DataDir;
use proptest::prelude::*;

const RIGHT: &str = "4711";
const START: MillisSinceOrigin = MillisSinceOrigin::from_millis(1_000_000);

struct Booth {
    _root: tempfile::TempDir,
    data: Arc<DataDir>,
    pin_lock: PinLock,
}

impl Booth {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let data = Arc::new(DataDir::open_data_dir_removing_leftovers(root.path()).expect("a data folder"));
        let pin_lock = PinLock::new(SettingsFileHandle::read_settings_file(data.clone()), START);
        Self { _root: root, data, pin_lock }
    }

    fn with_pin() -> Self {
        let booth = Self::new();
        let pin = PinHash::with_cheap_params(RIGHT);
        booth.pin_lock.0.settings_file.update_and_save_settings(|settings| settings.pin = Some(pin)).expect("written");
        booth
    }

    fn restart(&mut self, now: MillisSinceOrigin) {
        self.pin_lock = PinLock::new(SettingsFileHandle::read_settings_file(self.data.clone()), now);
    }

    async fn enter(&self, pin: &str, now: MillisSinceOrigin) -> PinLockView {
        self.pin_lock.try_unlock(pin.into(), now).await.expect("an answer")
    }
}

fn after(seconds: u64) -> MillisSinceOrigin {
    START + Duration::from_secs(seconds)
}

#[tokio::test]
async fn the_first_pin_unlocks_and_can_be_set_once() {
    let booth = Booth::new();
    let closed = booth.pin_lock.pin_lock_view(false, START);
    assert!(!closed.pin_set && !closed.open);
    let nothing = booth.enter("0000", START).await;
    assert!(!nothing.open && !nothing.wrong, "there is nothing to try");
    for pin in ["123", &"1".repeat(33)] {
        let refused = booth.pin_lock.set_first_pin_and_unlock(pin.into(), false, START).await.expect_err("refused");
        assert_eq!(refused.code, "pin_length");
    }
    assert!(booth.pin_lock.require_unlocked_and_reset_idle(START).is_err());
    let open = booth.pin_lock.set_first_pin_and_unlock(RIGHT.into(), false, START).await.expect("set");
    assert!(open.pin_set && open.open);
    booth.pin_lock.require_unlocked_and_reset_idle(START).expect("open");
    let again = booth.pin_lock.set_first_pin_and_unlock("0000".into(), false, START).await.expect_err("refused");
    assert_eq!(again.code, "pin_set");
}

#[tokio::test]
async fn the_correct_pin_unlocks_until_locked_or_idle() {
    let booth = Booth::with_pin();
    assert_eq!(booth.pin_lock.require_unlocked_and_reset_idle(START).expect_err("closed").code, "panel_locked");
    assert!(booth.pin_lock.cancellation_token_until_panel_locks().is_cancelled());
    assert!(booth.enter(RIGHT, START).await.open);
    let closing = booth.pin_lock.cancellation_token_until_panel_locks();
    booth.pin_lock.lock_panel();
    assert!(closing.is_cancelled() && booth.pin_lock.require_unlocked_and_reset_idle(START).is_err());

    assert!(booth.enter(RIGHT, START).await.open);
    booth.pin_lock.require_unlocked_and_reset_idle(after(599)).expect("not long enough");
    booth.pin_lock.require_unlocked_and_reset_idle(after(1198)).expect("each command renews it");
    assert!(booth.pin_lock.is_unlocked(after(1797)), "asking this way does not");
    let closing = booth.pin_lock.cancellation_token_until_panel_locks();
    assert_eq!(booth.pin_lock.require_unlocked_and_reset_idle(after(1798)).expect_err("idle").code, "panel_locked");
    assert!(closing.is_cancelled());
    assert!(
        booth.pin_lock.require_unlocked_and_reset_idle(after(1200)).is_err(),
        "and time that goes back does not open it"
    );
}

#[tokio::test]
async fn wrong_pins_delay_attempts_until_a_correct_one() {
    let booth = Booth::with_pin();
    for wrong in ["0000", "1111", "2222"] {
        let view = booth.enter(wrong, START).await;
        assert!(view.wrong && !view.open);
    }
    assert_eq!(booth.pin_lock.pin_lock_view(false, START).wait_seconds, 5);
    let early = booth.enter(RIGHT, after(4)).await;
    assert!(!early.open && !early.wrong, "not even the right one is tried");
    assert_eq!(early.wait_seconds, 1);
    assert_eq!(booth.enter("3333", after(5)).await.wait_seconds, 10);
    assert!(booth.enter(RIGHT, after(15)).await.open);
    booth.pin_lock.lock_panel();
    assert_eq!(booth.enter("0000", after(15)).await.wait_seconds, 0, "the count starts again");
}

#[tokio::test]
async fn a_restart_gives_no_additional_attempts() {
    let mut booth = Booth::with_pin();
    for _ in 0..4 {
        booth.restart(START);
        booth.enter("0000", START).await;
    }
    booth.restart(START);
    assert_eq!(booth.pin_lock.pin_lock_view(false, START).wait_seconds, 5, "three were tried, the fourth was not");
    assert!(!booth.enter(RIGHT, START).await.open);
    assert!(booth.enter(RIGHT, after(5)).await.open);
    booth.restart(START);
    assert_eq!(booth.pin_lock.pin_lock_view(false, START).wait_seconds, 0);
}

#[tokio::test]
async fn pins_of_invalid_length_are_not_counted() {
    let booth = Booth::with_pin();
    for pin in ["", "1", &"1".repeat(33)] {
        assert!(booth.enter(pin, START).await.wrong);
    }
    assert_eq!(booth.pin_lock.pin_lock_view(false, START).wait_seconds, 0);
}

#[tokio::test]
async fn parallel_attempts_run_one_at_a_time() {
    let booth = Booth::with_pin();
    let tries: Vec<_> = (0..20)
        .map(|nth| {
            let pin_lock = booth.pin_lock.clone();
            let pin = if nth == 19 { RIGHT.to_owned() } else { format!("{nth:04}") };
            tokio::spawn(async move { pin_lock.try_unlock(pin.into(), START).await.expect("an answer") })
        })
        .collect();
    let mut looked_at = 0;
    for one in tries {
        let view = one.await.expect("no panic");
        looked_at += u32::from(view.wrong || view.open);
    }
    assert!(looked_at <= 4, "{looked_at} PINs were looked at");
}

#[tokio::test]
async fn locking_during_an_attempt_prevents_unlocking() {
    let booth = Booth::with_pin();
    let first = booth.pin_lock.0.attempt_lock.lock().await;
    let pin_lock = booth.pin_lock.clone();
    let lock_count_before = pin_lock.acquire_pin_lock_mutex().lock_count;
    drop(first);
    pin_lock.lock_panel();
    pin_lock.unlock_unless_locked_meanwhile(lock_count_before, START);
    assert!(!pin_lock.is_unlocked(START));
}

#[tokio::test]
async fn changing_the_pin_requires_the_current_one_and_an_unlocked_panel() {
    let booth = Booth::with_pin();
    let change = async |current: &str, new: &str, now: MillisSinceOrigin| {
        booth.pin_lock.change_pin(current.into(), new.into(), now).await.map_err(|problem| problem.code)
    };
    assert_eq!(change(RIGHT, "0815", START).await, Err("panel_locked".into()));
    booth.enter(RIGHT, START).await;
    assert_eq!(change(RIGHT, "081", START).await, Err("pin_length".into()));
    for _ in 0..3 {
        assert_eq!(change("0000", "0815", START).await, Err("pin_wrong".into()));
    }
    assert_eq!(change(RIGHT, "0815", START).await, Err("pin_wait".into()), "it is no way around the wait");
    assert_eq!(change(RIGHT, "0815", after(5)).await, Ok(()));
    booth.pin_lock.lock_panel();
    assert!(booth.enter(RIGHT, after(5)).await.wrong);
    assert!(booth.enter("0815", after(5)).await.open);
}

#[tokio::test]
async fn a_forgotten_pin_can_be_removed() {
    let mut booth = Booth::with_pin();
    for _ in 0..3 {
        booth.enter("0000", START).await;
    }
    PinLock::remove_pin_from_settings(&SettingsFileHandle::read_settings_file(booth.data.clone())).expect("dropped");
    booth.restart(START);
    let view = booth.pin_lock.pin_lock_view(false, START);
    assert!(!view.pin_set && view.wait_seconds == 0);
    assert!(booth.pin_lock.set_first_pin_and_unlock("0815".into(), false, START).await.expect("set").open);
}

#[tokio::test]
async fn settings_with_a_typing_error_keep_the_panel_locked_until_the_pin_is_forgotten() {
    let mut booth = Booth::with_pin();
    let path = booth.data.operator_file_path(copresence_store::SettingsOrLogoFile::Settings);
    let text = format!("idle_seconds = 90 typo\n{}", std::fs::read_to_string(&path).expect("there"));
    std::fs::write(&path, text).expect("written");
    booth.restart(START);
    assert!(booth.pin_lock.pin_lock_view(false, START).pin_set, "whether there is one is unknown");
    let refused = booth.pin_lock.set_first_pin_and_unlock("0815".into(), false, START).await.expect_err("refused");
    assert_eq!(refused.code, "settings_failed");
    PinLock::remove_pin_from_settings(&SettingsFileHandle::read_settings_file(booth.data.clone())).expect("dropped");
    booth.restart(START);
    assert!(booth.pin_lock.set_first_pin_and_unlock("0815".into(), false, START).await.expect("set").open);
}

#[tokio::test]
async fn in_kiosk_mode_the_first_pin_can_only_be_set_soon_after_the_start() {
    let mut booth = Booth::new();
    let later = after(10 * 60 + 1);
    assert!(!booth.pin_lock.pin_lock_view(true, after(10 * 60)).first_pin_late);
    let refused = booth.pin_lock.set_first_pin_and_unlock(RIGHT.into(), true, later).await.expect_err("refused");
    assert_eq!(refused.code, "first_pin_late");
    let late = booth.pin_lock.pin_lock_view(true, later);
    assert!(!late.pin_set && late.first_pin_late, "said before a PIN is chosen");
    assert!(!booth.pin_lock.pin_lock_view(false, later).first_pin_late);
    // After a restart, and on a machine that is no kiosk at any time.
    booth.restart(later);
    assert!(!booth.pin_lock.pin_lock_view(true, later).first_pin_late);
    assert!(booth.pin_lock.set_first_pin_and_unlock(RIGHT.into(), true, later).await.expect("set").open);
    assert!(!booth.pin_lock.pin_lock_view(true, after(30 * 60)).first_pin_late, "there is a PIN");
    let desktop = Booth::new();
    assert!(desktop.pin_lock.set_first_pin_and_unlock(RIGHT.into(), false, later).await.expect("set").open);
}

#[tokio::test]
async fn a_pin_can_be_replaced_from_a_shell() {
    let mut booth = Booth::with_pin();
    let file = SettingsFileHandle::read_settings_file(booth.data.clone());
    for unfit in ["123", "12a4", &"1".repeat(33)] {
        PinLock::replace_pin_without_current_one(&file, &unfit.into()).expect_err("refused");
    }
    PinLock::replace_pin_without_current_one(&file, &"0815".into()).expect("replaced");
    booth.restart(START);
    assert!(booth.enter(RIGHT, START).await.wrong);
    assert!(booth.enter("0815", after(5)).await.open);
}

#[cfg(unix)]
#[tokio::test]
async fn unreadable_settings_keep_the_panel_locked() {
    let mut booth = Booth::with_pin();
    let settings = booth.data.operator_file_path(copresence_store::SettingsOrLogoFile::Settings);
    std::fs::remove_file(&settings).expect("removed");
    std::os::unix::fs::symlink("/dev/null", &settings).expect("linked");
    booth.restart(START);
    assert!(booth.pin_lock.pin_lock_view(false, START).pin_set, "whether there is one is unknown");
    let refused = booth.pin_lock.set_first_pin_and_unlock("0815".into(), false, START).await.expect_err("refused");
    assert_eq!(refused.code, "settings_failed");
    assert_eq!(booth.pin_lock.try_unlock(RIGHT.into(), START).await.expect_err("refused").code, "settings_failed");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the order of attempts and restarts: between two correct PINs, no more attempts are checked than the
    /// delays allow.
    #[test]
    fn no_order_of_attempts_circumvents_the_delay(
        steps in proptest::collection::vec((0_u64..40, 0_u8..8), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut booth = Booth::with_pin();
            let (mut now, mut looked_at) = (START, Vec::<MillisSinceOrigin>::new());
            for (pause, act) in steps {
                now = now + Duration::from_secs(pause);
                match act {
                    0 => booth.restart(now),
                    1 => booth.pin_lock.lock_panel(),
                    _ if booth.enter("0000", now).await.wrong => looked_at.push(now),
                    _ => {}
                }
            }
            // Attempt n + 1 comes no earlier after attempt n than its delay.
            for (nth, pair) in looked_at.windows(2).enumerate() {
                let wrong = u32::try_from(nth).expect("few") + 1;
                assert!(pair[1].duration_since(pair[0]) >= delay_after_failed_attempts(wrong), "{looked_at:?}");
            }
        });
    }
}
