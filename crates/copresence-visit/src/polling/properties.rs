//! Properties that hold for every sequence of responses.

use super::*;
use proptest::prelude::*;

/// Result of one poll.
#[derive(Debug, Clone)]
enum SimulatedResponse {
    Progress(Progress),
    Failed(Option<Duration>),
}

impl SimulatedResponse {
    /// This response as the polling policy receives it.
    fn as_poll_result(&self) -> PollResult<'_> {
        match self {
            Self::Progress(progress) => PollResult::Progress(progress),
            Self::Failed(retry_after) => PollResult::Failed { retry_after: *retry_after },
        }
    }
}

fn any_progress() -> impl Strategy<Value = Progress> {
    let status = prop_oneof![
        Just(CompletionStatus::NoAssociatedAvatar),
        Just(CompletionStatus::InQueue),
        Just(CompletionStatus::Processing),
        Just(CompletionStatus::Failed),
        Just(CompletionStatus::Other("baking".to_owned())),
    ];
    let completion = proptest::option::of(0..=100_u8);
    let queue = proptest::option::of(prop_oneof![0..12_u32, any::<u32>()]);
    (status, completion, queue).prop_map(|(status, completion, queue)| Progress {
        status,
        completion: completion.and_then(Percent::new),
        queue_position: queue.map(QueuePosition::new),
    })
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => (0..400_000_u64).prop_map(Duration::from_millis),
        2 => (0..5_000_000_000_u64).prop_map(Duration::from_nanos),
        1 => Just(Duration::ZERO),
        1 => Just(Duration::MAX),
    ]
}

/// Generates responses: progress more often than failures.
fn any_response() -> impl Strategy<Value = SimulatedResponse> {
    prop_oneof![
        4 => any_progress().prop_map(SimulatedResponse::Progress),
        1 => proptest::option::of(any_duration()).prop_map(SimulatedResponse::Failed),
    ]
}

fn any_extreme_config() -> impl Strategy<Value = PollingConfig> {
    let optional = || proptest::option::of(any_duration());
    (any_duration(), any_duration(), optional(), any_duration(), optional()).prop_map(
        |(fastest, slowest, fixed, usual_processing, usual_association)| PollingConfig {
            fastest,
            slowest,
            fixed,
            usual_processing,
            usual_association,
        },
    )
}

/// Generates configurations: the default one as often as extreme ones.
fn any_config() -> impl Strategy<Value = PollingConfig> {
    prop_oneof![Just(PollingConfig::default()), any_extreme_config()]
}

/// Generates responses, each with the time after its poll was due, and whether the clock was set back.
fn any_timed_responses() -> impl Strategy<Value = Vec<(SimulatedResponse, u64, bool)>> {
    prop::collection::vec((any_response(), 0..90_000_u64, prop::bool::weighted(0.02)), 1..60)
}

/// The whole milliseconds of a duration; `u64::MAX` if there are more.
fn saturating_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

proptest! {
    #[test]
    fn every_interval_is_within_the_configured_limits(config in any_config(), seed: u64, traffic in any_timed_responses()) {
        let mut polling = PollSchedule::new(config.clone(), seed);
        let mut now = MillisSinceOrigin::from_millis(5_000_000);
        for (response, late, set_back) in traffic {
            let due = polling.next_poll(&response.as_poll_result(), now);
            let longest = config.slowest.max(config.fastest).max(config.fixed.unwrap_or_default());
            let wished = match response {
                SimulatedResponse::Failed(Some(retry_after)) => saturating_millis(retry_after).min(MAX_RETRY_AFTER_MILLIS),
                _ => 0,
            };
            let wait = due.as_millis() - now.as_millis();
            if due.as_millis() < u64::MAX {
                prop_assert!(wait >= saturating_millis(config.fastest), "{wait} ms");
                prop_assert!(wait >= wished, "{wait} ms, wished {wished} ms");
            }
            let bound = saturating_millis(longest).saturating_add(1).max((wished + wished / 10 + 2).min(MAX_RETRY_AFTER_MILLIS));
            prop_assert!(wait <= bound, "{wait} ms, at most {bound} ms");
            now = if set_back || due.as_millis() > 1 << 50 {
                MillisSinceOrigin::from_millis(now.as_millis() / 2)
            } else {
                due + Duration::from_millis(late)
            };
        }
    }

    #[test]
    fn the_same_seed_and_answers_give_the_same_times(config in any_config(), seed: u64, traffic in any_timed_responses()) {
        let mut one = PollSchedule::new(config.clone(), seed);
        let mut other = PollSchedule::new(config, seed);
        let mut now = MillisSinceOrigin::default();
        for (response, late, _) in traffic {
            let due = one.next_poll(&response.as_poll_result(), now);
            prop_assert_eq!(due, other.next_poll(&response.as_poll_result(), now));
            now = if due.as_millis() > 1 << 50 { now } else { due + Duration::from_millis(late) };
        }
    }

    #[test]
    fn a_fixed_interval_is_exact_to_the_millisecond(every in 250..120_000_u64, seed: u64, shown in prop::collection::vec(any_progress(), 1..40)) {
        let mut polling = PollSchedule::new(PollingConfig { fixed: Some(Duration::from_millis(every)), ..PollingConfig::default() }, seed);
        let mut now = MillisSinceOrigin::default();
        for progress in &shown {
            let due = polling.next_poll(&PollResult::Progress(progress), now);
            prop_assert_eq!(due.duration_since(now), Duration::from_millis(every));
            now = due;
        }
    }

    #[test]
    fn failures_never_poll_faster_than_a_fixed_interval(every in 250..120_000_u64, seed: u64, troubles in 1..40_usize) {
        let mut polling = PollSchedule::new(PollingConfig { fixed: Some(Duration::from_millis(every)), ..PollingConfig::default() }, seed);
        for _ in 0..troubles {
            let due = polling.next_poll(&PollResult::Failed { retry_after: None }, MillisSinceOrigin::default());
            prop_assert!(due.as_millis() >= every);
        }
    }

    #[test]
    fn a_usable_response_resets_the_backoff(progress in any_progress(), seed: u64, troubles in 0..40_usize) {
        let mut calm = PollSchedule::new(PollingConfig::default(), seed);
        let mut troubled = calm.clone();
        for _ in 0..troubles {
            troubled.next_poll(&PollResult::Failed { retry_after: None }, MillisSinceOrigin::default());
        }
        let good = PollResult::Progress(&progress);
        let calm = calm.next_poll(&good, MillisSinceOrigin::default()).as_millis();
        let mut afterwards = troubled;
        let troubled = afterwards.next_poll(&good, MillisSinceOrigin::default()).as_millis();
        // They differ by two draws of the jitter at most.
        prop_assert!(calm * 100 <= troubled * 118 && troubled * 100 <= calm * 118, "{calm} ms, {troubled} ms");
        // And the next failure starts at the bottom again.
        let again = afterwards.next_poll(&PollResult::Failed { retry_after: None }, MillisSinceOrigin::default()).as_millis();
        prop_assert!(again <= troubled.max(1000) * 13 / 10, "{again} ms after {troubled} ms");
    }
}

/// Mean waits in seconds after the first, second, … failure in a row, over many seeds.
fn mean_waits_after_failures(config: &PollingConfig) -> Vec<f64> {
    let seeds = 200;
    let mut sums = vec![0.0; 14];
    for seed in 0..seeds {
        let mut polling = PollSchedule::new(config.clone(), seed);
        for sum in &mut sums {
            *sum += seconds_of_millis(
                polling.next_poll(&PollResult::Failed { retry_after: None }, MillisSinceOrigin::default()).as_millis(),
            );
        }
    }
    sums.into_iter().map(|sum| sum / f64::from(u32::try_from(seeds).unwrap())).collect()
}

#[test]
fn failures_back_off_to_the_slowest_interval() {
    for config in
        [PollingConfig::default(), PollingConfig { fixed: Some(Duration::from_secs(2)), ..PollingConfig::default() }]
    {
        let means = mean_waits_after_failures(&config);
        // The first two are equal. Later equal means are both at the limit.
        assert!(means[1..].windows(2).all(|pair| pair[0] < pair[1] || pair[1] >= 29.0), "{means:?}");
        assert!(means[0] < 3.0 && means[1] < 3.0 && means[13] >= 29.0, "{means:?}");
    }
}

#[test]
fn retry_after_is_honored_to_five_minutes() {
    let mut polling = PollSchedule::new(PollingConfig::default(), 1);
    let mut after = |seconds| {
        let retry_after = PollResult::Failed { retry_after: Some(Duration::from_secs(seconds)) };
        polling.next_poll(&retry_after, MillisSinceOrigin::default()).as_millis()
    };
    assert!((120_000..=132_001).contains(&after(120)));
    assert_eq!(after(86_400), MAX_RETRY_AFTER_MILLIS);
}

#[test]
fn a_fleet_does_not_poll_in_step() {
    let first: std::collections::BTreeSet<_> = (0..100)
        .map(|seed| {
            PollSchedule::new(PollingConfig::default(), seed)
                .next_poll(&PollResult::Progress(&Progress::progress_without_avatar()), MillisSinceOrigin::default())
        })
        .collect();
    assert!(first.len() > 50, "{} different times", first.len());
}

#[test]
fn failed_is_polled_slowly_and_a_new_recording_quickly() {
    let mut polling = PollSchedule::new(PollingConfig::default(), 1);
    let failed = Progress { status: CompletionStatus::Failed, completion: None, queue_position: None };
    let mut now = MillisSinceOrigin::default();
    for _ in 0..20 {
        let due = polling.next_poll(&PollResult::Progress(&failed), now);
        assert!((7..=30).contains(&due.duration_since(now).as_secs()));
        now = due;
    }
    let nearly = Progress { status: CompletionStatus::Processing, completion: Percent::new(97), queue_position: None };
    assert!(polling.next_poll(&PollResult::Progress(&nearly), now).duration_since(now) < Duration::from_secs(4));
}
