//! Lists the sandbox's scenarios and faults: for people, or as one JSON object per line.

use crate::common_options::CommonOptions;
use crate::output;
use copresence_sandbox::faults::FaultTiming;
use serde_json::json;

/// Prints the scenarios that the sandbox knows.
pub(super) fn print_scenario_catalogue(common: &CommonOptions) {
    for scenario in copresence_sandbox::scenario::built_in_scenarios() {
        if common.json {
            output::print_json_line(&json!({"scenario": scenario.name(), "does": scenario.summary_sentence()}));
        } else {
            output::print_stdout_line(format_args!("{:<19} {}", scenario.name(), scenario.summary_sentence()));
        }
    }
}

/// Prints the faults that the sandbox can inject, not the active ones.
pub(super) fn print_fault_catalogue(common: &CommonOptions) {
    if !common.json {
        output::print_stdout_line(format_args!(
            "A list of faults is JSON: [{{\"on\":ENDPOINT,\"nth\":WHICH,\"do\":WHAT}}, …]\n\n\
             on    redeem, generate, login or file; of redeems also \"ready\":BOOL (true: those that are\n\
             \u{20}     answered with download URLs); of files \"file\":NAME, \"export_type\":TYPE, \"ranged\":BOOL\n\
             nth   [1,3], 1, \"every\" (also when left out) or {{\"rate\":0.1}}; counts the requests that the fault is for\n\
             do    one of these; without parameters its name alone will do:\n"
        ));
    }
    for entry in copresence_sandbox::faults::CATALOGUE {
        if common.json {
            let on: Vec<_> = entry.endpoints.iter().map(|on| json!(on)).collect();
            let with: Vec<_> = entry
                .parameters
                .iter()
                .map(|parameter| json!({"name": parameter.name, "means": parameter.meaning}))
                .collect();
            let example: serde_json::Value = serde_json::from_str(entry.example).unwrap_or_default();
            output::print_json_line(
                &json!({"fault": entry.name, "does": entry.does, "happens": describe_fault_timing(entry.timing), "on": on,
                       "with": with, "example": example}),
            );
            continue;
        }
        output::print_stdout_line(format_args!(
            "{}\n  {}\n  Happens {}.",
            entry.name,
            entry.does,
            describe_fault_timing(entry.timing)
        ));
        for parameter in entry.parameters {
            output::print_stdout_line(format_args!("    {:<17} {}", parameter.name, parameter.meaning));
        }
        output::print_stdout_line(format_args!("  {}\n", entry.example));
    }
}

/// Describes whether a fault acts in place of the effect of its request, or after it.
fn describe_fault_timing(when: FaultTiming) -> &'static str {
    match when {
        FaultTiming::Instead => "in place of the request's effect",
        FaultTiming::InsteadOrAfter => "in place of the request's effect, or after it",
        FaultTiming::After => "after the request's effect",
    }
}
