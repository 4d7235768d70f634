//! Properties of the model, in simulated time.

use super::*;
use crate::scenario::{BuiltInScenarioName, built_in_scenarios};
use crate::world::avatar::AvatarChoice;
use copresence_protocol::{CompletionStatus, Progress};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

const MINUTE: Duration = Duration::from_mins(1);

fn new_world(scenario: impl Into<Scenario>, seed: u64) -> World {
    World::new(scenario.into(), seed, [7; 32], AvatarCatalog::built_in_catalog())
}

fn any_scenario() -> impl Strategy<Value = Scenario> {
    prop::sample::select(built_in_scenarios())
}

fn any_avatar_choice() -> impl Strategy<Value = AvatarChoice> {
    prop_oneof![Just(AvatarChoice::New), Just(AvatarChoice::Existing("ari".into()))]
}

/// Redeems at an interval until the token ends or `limit` has passed. Returns each response with its time.
fn redeem_until_end(world: &mut World, token: &str, every: Duration, limit: Duration) -> Vec<(Duration, RedeemResult)> {
    let mut seen = Vec::new();
    let mut now = Duration::ZERO;
    while now < limit {
        match world.redeem_token(token, now) {
            Ok(answer) => seen.push((now, answer)),
            Err(TokenNotActive) => break,
        }
        now += every;
    }
    seen
}

proptest! {
    #[test]
    fn queue_falls_progress_rises_and_statuses_are_ordered(
        scenario in any_scenario(), choice in any_avatar_choice(), seed: u64, every in 50_u64..3_000
    ) {
        let mut world = new_world(scenario.clone(), seed);
        let token = world.generate_token(Duration::ZERO).expect("room");
        world.associate_avatar(&token, &choice, None, None, Duration::ZERO).expect("free");
        let answers = redeem_until_end(&mut world, &token, Duration::from_millis(every), 30 * MINUTE);
        let in_order = !matches!(scenario.name(), "goes-backwards" | "fails-then-succeeds");
        let rank = |status: &CompletionStatus| CompletionStatus::KNOWN.iter().position(|known| known == status);
        let mut last: Option<Progress> = None;
        for (_, answer) in &answers {
            let RedeemResult::NotReady(progress) = answer else { continue };
            prop_assert_eq!(progress.queue_position.is_some(), progress.status == CompletionStatus::InQueue);
            prop_assert!(progress.queue_position_wire_value() != 0, "positions count from 1");
            prop_assert!(progress.completion_wire_value() >= 0, "−1 is for no avatar only");
            if let Some(last) = last.as_ref().filter(|_| in_order) {
                prop_assert!(rank(&progress.status) >= rank(&last.status));
                prop_assert!(progress.completion >= last.completion);
                if let (Some(now), Some(before)) = (progress.queue_position, last.queue_position) {
                    prop_assert!(now <= before);
                }
            }
            last = Some(progress.clone());
        }
        let delivered = answers.iter().filter(|(_, answer)| matches!(answer, RedeemResult::Ready(_))).count();
        let completes = !matches!(scenario.name(), "fails" | "token-expires");
        prop_assert_eq!(delivered, usize::from(completes), "once where it completes, else never");
        let end = if completes { TokenPhase::Spent } else { TokenPhase::Expired };
        prop_assert_eq!(world.token_views(40 * MINUTE)[0].state, end);
    }

    #[test]
    fn ended_token_stays_ended(
        scenario in any_scenario(), seed: u64,
        moves in prop::collection::vec((0_u8..6, 0_u64..40_000), 1..60)
    ) {
        let mut world = new_world(scenario.clone(), seed);
        let token = world.generate_token(Duration::ZERO).expect("room");
        let mut now = Duration::ZERO;
        let (mut over, mut delivered) = (false, 0);
        for (what, pass) in moves {
            now += Duration::from_millis(pass);
            match what {
                0 => { let _ = world.associate_avatar(&token, &AvatarChoice::New, None, None, now); }
                1 => { let _ = world.force_token_state(&token, ForcedState::Complete, now); }
                2 => { let _ = world.force_token_state(&token, ForcedState::Fail, now); }
                3 if pass % 5 == 0 => { let _ = world.force_token_state(&token, ForcedState::Expire, now); }
                _ => match world.redeem_token(&token, now) {
                    Ok(answer) => {
                        prop_assert!(!over, "a response after the end");
                        delivered += u32::from(matches!(answer, RedeemResult::Ready(_)));
                    }
                    Err(TokenNotActive) => over = true,
                },
            }
            let state = world.token_views(now)[0].state;
            let ended = matches!(state, TokenPhase::Spent | TokenPhase::Expired);
            prop_assert!(ended || !over);
            over = ended;
        }
        prop_assert!(delivered <= 1);
    }

    /// Checks that the same seed gives the same progress, whatever other tokens exist.
    #[test]
    fn other_tokens_do_not_change_progress(scenario in any_scenario(), seed: u64) {
        let course = |noise: bool| {
            let mut world = new_world(scenario.clone(), seed);
            let token = world.generate_token(Duration::ZERO).expect("room");
            if noise {
                let other = world.generate_token(Duration::ZERO).expect("room");
                world.associate_avatar(&other, &AvatarChoice::New, None, None, Duration::ZERO).expect("free");
            }
            world.associate_avatar(&token, &AvatarChoice::New, None, None, Duration::ZERO).expect("free");
            let answers = redeem_until_end(&mut world, &token, Duration::from_secs(1), 5 * MINUTE);
            answers.into_iter().map(|(at, answer)| match answer {
                RedeemResult::NotReady(progress) => (at, Some(progress)),
                RedeemResult::Ready(_) => (at, None),
            }).collect::<Vec<_>>()
        };
        prop_assert_eq!(course(false), course(true));
    }
}

use super::state::TokenPhase;

#[test]
fn one_of_many_concurrent_redeems_delivers() {
    let mut world = new_world(BuiltInScenarioName::ExistingAvatar, 1);
    let token = world.generate_token(Duration::ZERO).expect("room");
    world.associate_avatar(&token, &AvatarChoice::New, None, None, Duration::ZERO).expect("free");
    let world = Arc::new(Mutex::new(world));
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (world, token) = (world.clone(), token.clone());
            std::thread::spawn(move || world.lock().expect("lock").redeem_token(&token, MINUTE).is_ok())
        })
        .collect();
    let delivered = threads.into_iter().map(|t| t.join().expect("thread")).filter(|ok| *ok);
    assert_eq!(delivered.count(), 1);
}

#[test]
fn long_queue_counts_down_from_position_twelve() {
    let mut world = new_world(BuiltInScenarioName::LongQueue, 3);
    let token = world.generate_token(Duration::ZERO).expect("room");
    world.associate_avatar(&token, &AvatarChoice::New, None, None, Duration::ZERO).expect("free");
    let answers = redeem_until_end(&mut world, &token, Duration::from_millis(500), 10 * MINUTE);
    let mut places: Vec<i64> = answers
        .iter()
        .filter_map(|(_, answer)| match answer {
            RedeemResult::NotReady(progress) => {
                progress.queue_position.map(|place| i64::from(place.queue_position_as_u32()))
            }
            RedeemResult::Ready(_) => None,
        })
        .collect();
    places.dedup();
    assert_eq!(places, (1..=12).rev().collect::<Vec<_>>());
}

#[test]
fn failed_avatar_can_be_recorded_again_under_the_same_token() {
    let mut world = new_world(BuiltInScenarioName::Fails, 5);
    let token = world.generate_token(Duration::ZERO).expect("room");
    world.associate_avatar(&token, &AvatarChoice::New, None, None, Duration::ZERO).expect("free");
    assert_eq!(
        world.associate_avatar(&token, &AvatarChoice::New, None, None, MINUTE / 60),
        Err(AssociateError::HasAvatar)
    );
    let Ok(RedeemResult::NotReady(failed)) = world.redeem_token(&token, MINUTE) else { panic!("still active") };
    assert_eq!(failed.status, CompletionStatus::Failed);
    assert!((20..100).contains(&failed.completion_wire_value()), "{failed:?}");
    assert_eq!(failed.queue_position_wire_value(), -1);
    let again = world.associate_avatar(
        &token,
        &AvatarChoice::New,
        Some(BuiltInScenarioName::ExistingAvatar.built_in_scenario()),
        None,
        MINUTE,
    );
    assert!(again.is_ok());
    assert!(matches!(world.redeem_token(&token, MINUTE), Ok(RedeemResult::Ready(offers)) if offers.len() == 3));
}

#[test]
fn last_byte_uses_a_url_up_and_newer_delivery_ends_the_older() {
    let mut world = new_world(BuiltInScenarioName::ExistingAvatar, 1);
    let token = world.generate_token(Duration::ZERO).expect("room");
    world.associate_avatar(&token, &AvatarChoice::New, None, None, Duration::ZERO).expect("free");
    let Ok(RedeemResult::Ready(offers)) = world.redeem_token(&token, Duration::ZERO) else { panic!("ready") };
    let (id, file) = (&offers[0].id, &offers[0].file);
    let first = world.begin_delivery(id, file, Duration::ZERO).expect("fresh");
    assert!(world.check_and_record_chunk(id, first.delivery, false));
    let second = world.begin_delivery(id, file, MINUTE).expect("unfinished");
    assert!(!world.check_and_record_chunk(id, first.delivery, true), "the older one ends");
    assert!(world.check_and_record_chunk(id, second.delivery, true));
    assert_eq!(world.begin_delivery(id, file, MINUTE).expect_err("used"), DownloadRefusal::Used);
    assert_eq!(
        world.begin_delivery(&offers[1].id, &offers[1].file, 6 * MINUTE).expect_err("late"),
        DownloadRefusal::Expired
    );
    assert_eq!(world.begin_delivery(&offers[1].id, file, MINUTE).expect_err("other name"), DownloadRefusal::Unknown);
    assert!(!world.needs_avatar(&token, 6 * MINUTE));
}

/// Checks that a full world forgets ended tokens to make room, and refuses a new token while all are active.
#[test]
fn only_ended_tokens_are_evicted() {
    let mut world = new_world(BuiltInScenarioName::Happy, 1);
    let first = world.generate_token(Duration::ZERO).expect("room");
    let late = Duration::from_secs(1);
    for _ in 1..MAX_TOKENS {
        world.generate_token(late).expect("room");
    }
    assert_eq!(world.generate_token(late), Err(TooManyTokensError { max: MAX_TOKENS }));
    world.force_token_state(&first, ForcedState::Expire, late).expect("active");
    assert!(world.generate_token(late).is_ok());
    assert_eq!(world.phone_view(&first, late), None);
}
