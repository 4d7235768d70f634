//! Lists the sandbox's scenarios and faults: for people, or as one JSON object per line.

use crate::common_options::Common;
use crate::output;
use sandbox::faults::Happens;
use serde_json::json;

pub(super) fn scenarios(common: &Common) {
    for entry in sandbox::scenario::CATALOGUE {
        if common.json {
            output::result(format_args!("{}", json!({"scenario": entry.name, "does": entry.does})));
        } else {
            output::result(format_args!("{:<18} {}", entry.name, entry.does));
        }
    }
}

pub(super) fn faults(common: &Common) {
    if !common.json {
        output::result(format_args!(
            "A list of faults is JSON: [{{\"on\":ENDPOINT,\"nth\":WHICH,\"do\":WHAT}}, …]\n\n\
             on    redeem, generate, login or file; of redeems also \"ready\":BOOL (true: those that are\n\
             \u{20}     answered with download URLs); of files \"file\":NAME, \"export_type\":TYPE, \"ranged\":BOOL\n\
             nth   [1,3], 1, \"every\" (also when left out) or {{\"rate\":0.1}}; counts the requests that the fault is for\n\
             do    one of these; without parameters its name alone will do:\n"
        ));
    }
    for entry in sandbox::faults::CATALOGUE {
        if common.json {
            let on: Vec<_> = entry.on.iter().map(|on| json!(on)).collect();
            let with: Vec<_> = entry
                .with
                .iter()
                .map(|parameter| json!({"name": parameter.name, "means": parameter.means}))
                .collect();
            let example: serde_json::Value = serde_json::from_str(entry.example).unwrap_or_default();
            output::result(format_args!(
                "{}",
                json!({"fault": entry.name, "does": entry.does, "happens": happens(entry.happens), "on": on,
                       "with": with, "example": example})
            ));
            continue;
        }
        output::result(format_args!(
            "{}\n  {}\n  Happens {}.",
            entry.name,
            entry.does,
            happens(entry.happens)
        ));
        for parameter in entry.with {
            output::result(format_args!("    {:<17} {}", parameter.name, parameter.means));
        }
        output::result(format_args!("  {}\n", entry.example));
    }
}

fn happens(when: Happens) -> &'static str {
    match when {
        Happens::Instead => "in place of the request's effect",
        Happens::InsteadOrAfter => "in place of the request's effect, or after it",
        Happens::After => "after the request's effect",
    }
}
