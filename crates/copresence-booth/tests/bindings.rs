//! The TypeScript types of the views are derived from the Rust ones, committed, and held to them.
//!
//! `UPDATE_BINDINGS=1 cargo test -p copresence-booth --test bindings` writes the file anew.

use copresence_booth::view::checks::{
    CheckRunOptions, CheckView, ChecksPlan, ChecksState, ChecksView, PhoneScanRequestForChecks, PlannedCheckStep,
};
use copresence_booth::view::inspector::{
    ExchangeView, InspectorView, InspectorVisitListEntry, RequirementVerdictView, Timeline, TimelineEntry,
};
use copresence_booth::view::panel::{
    ActiveFaultView, AppearanceAndLanguageSettings, ConnectedMonitorView, CredentialView, KioskModeView,
    OfferedScenarioOrFaultView, PanelAction, PanelView, PartHealthState, PartHealthView, PastVisit, PinLockView,
    ProfileChoice, SandboxControlsView,
};
use copresence_booth::view::{
    AvatarStatusChange, BackendView, ExportTokenOutcomeCountsView, FileDownloadView, ForgettingProgress,
    IssuedTokenOutcome, LaneSettings, LanesPanelView, LocalizedTextView, NextVisitorOffer, OperatorTicketView,
    PastTicketView, PickupCodeEntryView, ProblemTypescriptDeclaration, SavedFileView, Screen, Snapshot, TicketClosing,
    TicketColour, TicketName, TicketState, TicketSymbol, TicketView, VisitorScreenSettingsView,
};
use std::path::Path;
use ts_rs::{Config, TS};

fn declarations() -> String {
    let config = Config::default();
    let declarations = [
        Snapshot::decl(&config),
        BackendView::decl(&config),
        VisitorScreenSettingsView::decl(&config),
        LocalizedTextView::decl(&config),
        Screen::decl(&config),
        ForgettingProgress::decl(&config),
        AvatarStatusChange::decl(&config),
        FileDownloadView::decl(&config),
        SavedFileView::decl(&config),
        LaneSettings::decl(&config),
        TicketView::decl(&config),
        TicketName::decl(&config),
        TicketColour::decl(&config),
        TicketSymbol::decl(&config),
        TicketState::decl(&config),
        NextVisitorOffer::decl(&config),
        PickupCodeEntryView::decl(&config),
        LanesPanelView::decl(&config),
        OperatorTicketView::decl(&config),
        ExportTokenOutcomeCountsView::decl(&config),
        IssuedTokenOutcome::decl(&config),
        PastTicketView::decl(&config),
        TicketClosing::decl(&config),
        ProblemTypescriptDeclaration::decl(&config),
        PinLockView::decl(&config),
        PanelView::decl(&config),
        ProfileChoice::decl(&config),
        CredentialView::decl(&config),
        SandboxControlsView::decl(&config),
        OfferedScenarioOrFaultView::decl(&config),
        ActiveFaultView::decl(&config),
        KioskModeView::decl(&config),
        AppearanceAndLanguageSettings::decl(&config),
        ConnectedMonitorView::decl(&config),
        PanelAction::decl(&config),
        PastVisit::decl(&config),
        PartHealthView::decl(&config),
        PartHealthState::decl(&config),
        InspectorView::decl(&config),
        InspectorVisitListEntry::decl(&config),
        Timeline::decl(&config),
        TimelineEntry::decl(&config),
        ExchangeView::decl(&config),
        RequirementVerdictView::decl(&config),
        CheckRunOptions::decl(&config),
        ChecksPlan::decl(&config),
        PlannedCheckStep::decl(&config),
        ChecksView::decl(&config),
        ChecksState::decl(&config),
        CheckView::decl(&config),
        PhoneScanRequestForChecks::decl(&config),
    ];
    let mut text = String::from(
        "// Derived from crates/copresence-booth/src/view; do not edit.\n\
         // UPDATE_BINDINGS=1 cargo test -p copresence-booth --test bindings\n",
    );
    for declaration in declarations {
        text.push_str("\nexport ");
        text.push_str(&declaration);
        text.push('\n');
    }
    text
}

#[test]
fn the_committed_types_are_those_of_the_views() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/generated/view.ts");
    let expected = declarations();
    if std::env::var_os("UPDATE_BINDINGS").is_some() {
        std::fs::write(&path, &expected).expect("the generated file is writable");
    }
    let committed = std::fs::read_to_string(&path).expect("ui/src/generated/view.ts is committed");
    assert!(
        committed == expected,
        "ui/src/generated/view.ts has drifted; run `UPDATE_BINDINGS=1 cargo test -p copresence-booth --test bindings`"
    );
}
