//! A fault by its name alone, for whoever chooses from a list: with the parameters of the catalogue's example, fit for
//! the endpoint.

use super::CATALOGUE;
use super::fault::{Effect, Endpoint, Fault, Nth};

/// How much of a JSON answer comes before it is cut: less than the shortest has.
const CUT_JSON: u64 = 10;
/// A JSON answer is short: this slow, and some seconds pass.
const SLOW_JSON: u64 = 20;

/// The fault of this name at this endpoint; none when there is no such fault, or not there.
pub fn usual(name: &str, on: Endpoint, nth: Nth) -> Option<Fault> {
    let entry = CATALOGUE.iter().find(|entry| entry.name == name && entry.on.contains(&on))?;
    let example: Fault = serde_json::from_str(entry.example).ok()?;
    let same = example.on == on;
    let effect = match example.effect {
        Effect::CutBody { by, .. } if on != Endpoint::File => Effect::CutBody { after: CUT_JSON, by },
        Effect::SlowBody { .. } if on != Endpoint::File => Effect::SlowBody { bytes_per_second: SLOW_JSON },
        // Another endpoint's answer has not the example's field.
        Effect::WrongShape { .. } if !same => Effect::WrongShape { field: None, becomes: None },
        effect => effect,
    };
    Some(Fault {
        on,
        nth,
        ready: example.ready.filter(|_| same),
        file: None,
        export_type: None,
        ranged: example.ranged.filter(|_| same),
        effect,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sandbox, Settings};

    #[test]
    fn every_fault_has_its_usual_form_at_each_of_its_endpoints() {
        let sandbox = Sandbox::new(Settings::default()).expect("a sandbox");
        for entry in &CATALOGUE {
            for (on, word, ..) in Endpoint::ALL {
                let fault = usual(entry.name, on, Nth::Every);
                assert_eq!(fault.is_some(), entry.on.contains(&on), "{} on {word}", entry.name);
                if let Some(fault) = fault {
                    assert_eq!((fault.effect.name(), fault.on), (entry.name, on));
                    sandbox.add_fault(fault).expect("it makes sense");
                }
            }
        }
        assert_eq!(usual("no such fault", Endpoint::Redeem, Nth::Every), None);
    }
}
