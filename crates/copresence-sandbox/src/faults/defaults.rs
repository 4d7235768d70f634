//! Builds a fault from its name alone, with the parameters of the catalogue's example adapted to the endpoint.

use super::catalogue::CATALOGUE;
use super::fault::{Effect, Endpoint, Fault, NthRequests};

/// Length after which a JSON body is cut, in bytes; shorter than every JSON body.
const CUT_JSON_AFTER_BYTES: u64 = 10;
/// Speed of a slow JSON body, in bytes per second; JSON bodies are short and then take seconds.
const SLOW_JSON_BYTES_PER_SECOND: u64 = 20;

/// The catalogue's fault of this name for an endpoint, with default parameters; `None` if the name is unknown or
/// not possible there.
pub fn catalogue_fault_for_endpoint(name: &str, on: Endpoint, nth: NthRequests) -> Option<Fault> {
    let entry = CATALOGUE.iter().find(|entry| entry.name == name && entry.endpoints.contains(&on))?;
    let example: Fault = serde_json::from_str(entry.example).ok()?;
    let same_endpoint = example.on == on;
    let effect = match example.effect {
        Effect::CutBody { by, .. } if on != Endpoint::File => Effect::CutBody { after: CUT_JSON_AFTER_BYTES, by },
        Effect::SlowBody { .. } if on != Endpoint::File => {
            Effect::SlowBody { bytes_per_second: SLOW_JSON_BYTES_PER_SECOND }
        }
        // The field of the example exists only in responses of the example's endpoint.
        Effect::WrongShape { .. } if !same_endpoint => Effect::WrongShape { field: None, becomes: None },
        effect => effect,
    };
    Some(Fault {
        on,
        nth,
        ready: example.ready.filter(|_| same_endpoint),
        file: None,
        export_type: None,
        ranged: example.ranged.filter(|_| same_endpoint),
        effect,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultSet;

    #[test]
    fn every_fault_has_a_default_on_each_of_its_endpoints() {
        let mut faults = FaultSet::new(1);
        for entry in &CATALOGUE {
            for (on, word, ..) in Endpoint::ALL {
                let fault = catalogue_fault_for_endpoint(entry.name, on, NthRequests::Every);
                assert_eq!(fault.is_some(), entry.endpoints.contains(&on), "{} on {word}", entry.name);
                if let Some(fault) = fault {
                    assert_eq!((fault.effect.effect_name(), fault.on), (entry.name, on));
                    faults.add_fault(fault).expect("valid");
                }
            }
        }
        assert_eq!(catalogue_fault_for_endpoint("no such fault", Endpoint::Redeem, NthRequests::Every), None);
    }
}
