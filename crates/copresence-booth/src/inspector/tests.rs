use super::*;
use crate::view::inspector::TimelineEntry;
use copresence_client::{CallKind, ExchangeOutcome};
use copresence_engine::events::EventKind;
use jiff::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;

fn sample_exchange(call: CallKind) -> Exchange {
    Exchange {
        call,
        started_at: Timestamp::UNIX_EPOCH,
        time_to_headers: None,
        duration: Duration::ZERO,
        method: "GET".into(),
        url: "https://api.test/redeemExportToken".into(),
        request_headers: vec![("x-copresence-export-token".into(), "…".into())],
        request_body: None,
        status: Some(200),
        response_headers: Vec::new(),
        body: Some("{}".into()),
        body_size: 2,
        outcome: ExchangeOutcome::Complete,
        error: None,
    }
}

fn record_new_visit(inspector: &Inspector) -> (VisitId, VisitExchangeRecorder) {
    let visit = VisitId::new();
    let mut memory = inspector.lock_recordings();
    let known = memory.get_or_insert_visit(visit, Timestamp::now());
    known.backend =
        Some(Arc::new(BackendWithRoutes::copresence_backend_from_url("https://api.test/".parse().expect("a URL"))));
    known.link = Some("copresence://new?exportToken={token}".parse().expect("a template"));
    (visit, VisitExchangeRecorder { inspector: inspector.clone(), metrics: BoothMetrics::new(), visit })
}

fn judge_exchange_without_requirements(_: &Exchange, _: &BackendWithRoutes) -> Vec<RequirementVerdictView> {
    Vec::new()
}

fn visit_event(visit: VisitId, event: EventKind) -> VisitEvent {
    VisitEvent { visit, at: Timestamp::now(), kind: event }
}

fn progress_event(file: &str, bytes: u64) -> EventKind {
    EventKind::Progress { file: file.into(), bytes, total: Some(9) }
}

#[test]
fn the_token_of_a_link_is_masked_in_every_event() {
    let inspector = Inspector::default();
    let (visit, _) = record_new_visit(&inspector);
    let link = "copresence://new?exportToken=tok%2Fen-1234".to_owned();
    inspector.record_event(&visit_event(visit, EventKind::Invited { link, expires_at: None }));
    let said = |word: &str| EventKind::Status {
        completion_status: word.to_owned(),
        completion_progress: -1,
        queue_position: -1,
        next_poll_ms: 0,
    };
    inspector.record_event(&visit_event(visit, said("it is tok/en-1234")));
    inspector.record_event(&visit_event(visit, said("it is tok%2fen-1234")));
    let view = inspector.build_inspector_view_of_visit_or_newest(None, &judge_exchange_without_requirements);
    let text = serde_json::to_string(&view).expect("plain data");
    assert!(!text.contains("en-1234") && text.contains("exportToken=…"), "{text}");
    let entries = view.shown.expect("the newest").entries;
    for entry in entries {
        let TimelineEntry::Step { line, .. } = entry else { panic!("steps alone") };
        assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON")["visit"], visit.to_string());
    }
}

#[test]
fn only_the_last_progress_of_a_file_is_kept() {
    let inspector = Inspector::default();
    let (visit, _) = record_new_visit(&inspector);
    for (file, bytes) in [("a.glb", 1), ("a.glb", 2), ("a.png", 1), ("a.glb", 3), ("a.glb", 9)] {
        inspector.record_event(&visit_event(visit, progress_event(file, bytes)));
    }
    let entries = inspector
        .build_inspector_view_of_visit_or_newest(None, &judge_exchange_without_requirements)
        .shown
        .expect("the newest")
        .entries;
    assert_eq!(entries.len(), 3, "{entries:?}");
}

#[test]
fn an_event_that_is_too_long_is_replaced() {
    let inspector = Inspector::default();
    let (visit, _) = record_new_visit(&inspector);
    let exports = vec!["x".repeat(MAX_EVENT_BYTES)];
    inspector.record_event(&visit_event(visit, EventKind::Redeemed { exports }));
    let entries = inspector
        .build_inspector_view_of_visit_or_newest(None, &judge_exchange_without_requirements)
        .shown
        .expect("the newest")
        .entries;
    let [TimelineEntry::Step { line, event, .. }] = entries.as_slice() else { panic!("one step") };
    let line: Value = serde_json::from_str(line).expect("JSON");
    assert!(line["left_out"].as_u64().is_some_and(|bytes| bytes > 16_384) && event == "redeemed");
}

#[test]
fn entries_are_sorted_by_start_and_violations_are_counted() {
    let inspector = Inspector::default();
    let (visit, recorder) = record_new_visit(&inspector);
    inspector.record_event(&visit_event(visit, EventKind::Started { profile: "p".into(), api_url: "u".into() }));
    let slow = Exchange { duration: Duration::from_mins(1), ..sample_exchange(CallKind::Login) };
    recorder.record_exchange(sample_exchange(CallKind::Generate));
    recorder.record_exchange(slow);
    let rules = |_: &Exchange, at: &BackendWithRoutes| {
        let rule = |kept| RequirementVerdictView {
            at: "status".into(),
            requirement: "RED-7".into(),
            level: "must".into(),
            sentence: at.base_url.to_string(),
            kept,
            came: None,
        };
        vec![rule(true), rule(false)]
    };
    let view = inspector.build_inspector_view_of_visit_or_newest(Some(&visit.to_string()), &rules);
    assert_eq!((view.visits[0].exchanges, view.visits[0].broken), (2, 2));
    let shown = view.shown.expect("asked for");
    let calls = shown.entries.iter().map(|entry| match entry {
        TimelineEntry::Exchange { exchange } => {
            assert_eq!(exchange.rules.len(), 2);
            exchange.call.as_str()
        }
        TimelineEntry::Step { event, .. } => event.as_str(),
    });
    assert_eq!(calls.collect::<Vec<_>>(), ["login", "started", "generate"]);
    assert_eq!(inspector.build_inspector_view_of_visit_or_newest(Some("another"), &rules).shown, None);
}

#[test]
fn a_late_response_does_not_restore_a_deleted_visit() {
    let inspector = Inspector::default();
    let (visit, recorder) = record_new_visit(&inspector);
    recorder.record_exchange(sample_exchange(CallKind::Redeem));
    inspector.forget_recordings_of_visit(visit);
    recorder.record_exchange(sample_exchange(CallKind::Redeem));
    assert!(
        inspector.build_inspector_view_of_visit_or_newest(None, &judge_exchange_without_requirements).visits.is_empty()
    );
}

#[tokio::test]
async fn views_are_sent_at_once_and_on_change_at_a_limited_rate() {
    let inspector = Inspector::default();
    let (_, recorder) = record_new_visit(&inspector);
    let (stop, stopped) = oneshot::channel::<()>();
    let told = Arc::new(AtomicUsize::new(0));
    let (count, rules): (_, Arc<RequirementJudge>) = (told.clone(), Arc::new(judge_exchange_without_requirements));
    let (heard, mut views) = tokio::sync::mpsc::unbounded_channel();
    let telling = inspector.clone();
    let task = tokio::spawn(async move {
        let send_view = |view: InspectorView| {
            count.fetch_add(1, Ordering::SeqCst);
            heard.send(view).is_ok()
        };
        telling.stream_inspector_views(None, rules, async { _ = stopped.await }, send_view).await;
    });
    assert_eq!(views.recv().await.expect("at once").visits[0].exchanges, 0);
    let began = tokio::time::Instant::now();
    for sent in 1..=20_u32 {
        recorder.record_exchange(sample_exchange(CallKind::Redeem));
        tokio::time::sleep(Duration::from_millis(25)).await;
        if sent == 20 {
            // The last change is sent, too.
            while views.recv().await.expect("on change").visits[0].exchanges < 20 {}
        }
    }
    let allowed = usize::try_from(began.elapsed().as_millis() / MIN_VIEW_INTERVAL.as_millis()).expect("small") + 2;
    assert!((2..=allowed).contains(&told.load(Ordering::SeqCst)), "{told:?} of {allowed}");
    stop.send(()).expect("it runs");
    task.await.expect("it ends");
}
