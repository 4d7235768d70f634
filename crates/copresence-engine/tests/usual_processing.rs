//! The usual times of a backend are learnt from its latest visits. A profile can state the processing time instead.

use copresence_engine::profile::Profiles;
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend, VisitOverrides, build_config_using_visit_history};
use copresence_store::{VisitId, VisitPhase, VisitStart};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

fn target(host: &str) -> ProfileOrSandboxBackend {
    ProfileOrSandboxBackend {
        api_url: format!("https://{host}/").parse().expect("a URL"),
        link: "https://app.test/?t={token}".parse().expect("a template"),
        credentials: copresence_engine::Credentials::default(),
        is_embedded_sandbox: false,
    }
}

/// Records a visit: an avatar was associated after `association` seconds, and processed for `processing` seconds.
async fn visit(data_store: &DataStore, host: &str, association: i64, processing: i64) {
    let (id, began) = (VisitId::new(), Timestamp::UNIX_EPOCH);
    let start = VisitStart {
        id,
        profile: "live".into(),
        api_url: format!("https://{host}/"),
        backend_host: host.into(),
        ephemeral: false,
        out_dir: "/out".into(),
        required_exports: Vec::new(),
        started_at: began,
        limits: None,
    };
    data_store.journal.record_visit_start(&start).await.expect("begun");
    let began = began + SignedDuration::from_secs(association);
    data_store.journal.record_first_time_of_phase(&id, VisitPhase::Associated, began).await.expect("noted");
    data_store.journal.record_first_time_of_phase(&id, VisitPhase::Processing, began).await.expect("noted");
    let ready = began + SignedDuration::from_secs(processing);
    data_store.journal.record_first_time_of_phase(&id, VisitPhase::Ready, ready).await.expect("noted");
}

#[tokio::test]
async fn the_median_of_three_visits_is_learnt_unless_the_profile_states_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_store = DataStore::open_or_create_data_store(&folder.path().join("data")).expect("a data folder");
    let file = folder.path().join("p.toml");
    let profile = |more: &str| {
        let text =
            format!("[profiles.live]\napi_url = \"https://a.test\"\nlink = \"https://b.test/{{token}}\"\n{more}");
        std::fs::write(&file, text).expect("written");
        Profiles::load_profiles(Some(&file)).and_then(|all| all.build_profile_by_name("live")).expect("a profile")
    };
    let usual = async |more: &str| {
        let profile = profile(more);
        let config =
            build_config_using_visit_history(&profile, &target("a.test"), &data_store, &VisitOverrides::default())
                .await;
        (config.polling.usual_association, config.polling.usual_processing)
    };

    visit(&data_store, "a.test", 30, 40).await;
    visit(&data_store, "a.test", 120, 300).await;
    for _ in 0..5 {
        visit(&data_store, "elsewhere.test", 3, 5).await;
    }
    assert_eq!(usual("").await, (None, Duration::from_secs(90)), "two are too few, and others are no guide");
    visit(&data_store, "a.test", 35, 50).await;
    let learnt = Some(Duration::from_secs(35));
    assert_eq!(usual("").await, (learnt, Duration::from_secs(50)));
    assert_eq!(usual("polling.usual_processing = \"2m\"\n").await, (learnt, Duration::from_mins(2)));
}
