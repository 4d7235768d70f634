//! The built-in scenarios, and scenarios by name.

use super::definition::Scenario;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// The name of a built-in scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BuiltInScenarioName {
    /// A short queue, processing, then the files.
    Happy,
    /// Ready as soon as an avatar is associated.
    ExistingAvatar,
    /// A long queue.
    LongQueue,
    /// Processing takes minutes.
    SlowProcessing,
    /// Progress stops, then continues.
    Stalls,
    /// Processing ends with `failed`; the token stays active.
    Fails,
    /// The first recording fails, the next one succeeds.
    FailsThenSucceeds,
    /// The token expires before an avatar can be ready.
    TokenExpires,
    /// Auto-play does not scan the code.
    NeverScanned,
    /// Ready, with an empty list of files.
    NoFiles,
    /// Ready, with dozens of files.
    ManyFiles,
    /// One of the files is large.
    LargeFile,
    /// All download URLs except the first have expired when they arrive.
    UrlsExpire,
    /// Progress and queue position move in the wrong direction.
    GoesBackwards,
}

/// The file of each built-in scenario, in the order of lists.
const BUILT_IN_FILES: [(BuiltInScenarioName, &str); 14] = [
    (BuiltInScenarioName::Happy, include_str!("../../scenarios/happy.toml")),
    (BuiltInScenarioName::ExistingAvatar, include_str!("../../scenarios/existing-avatar.toml")),
    (BuiltInScenarioName::LongQueue, include_str!("../../scenarios/long-queue.toml")),
    (BuiltInScenarioName::SlowProcessing, include_str!("../../scenarios/slow-processing.toml")),
    (BuiltInScenarioName::Stalls, include_str!("../../scenarios/stalls.toml")),
    (BuiltInScenarioName::Fails, include_str!("../../scenarios/fails.toml")),
    (BuiltInScenarioName::FailsThenSucceeds, include_str!("../../scenarios/fails-then-succeeds.toml")),
    (BuiltInScenarioName::TokenExpires, include_str!("../../scenarios/token-expires.toml")),
    (BuiltInScenarioName::NeverScanned, include_str!("../../scenarios/never-scanned.toml")),
    (BuiltInScenarioName::NoFiles, include_str!("../../scenarios/no-files.toml")),
    (BuiltInScenarioName::ManyFiles, include_str!("../../scenarios/many-files.toml")),
    (BuiltInScenarioName::LargeFile, include_str!("../../scenarios/large-file.toml")),
    (BuiltInScenarioName::UrlsExpire, include_str!("../../scenarios/urls-expire.toml")),
    (BuiltInScenarioName::GoesBackwards, include_str!("../../scenarios/goes-backwards.toml")),
];

static BUILT_IN_SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    let parse = |(_, text): &(BuiltInScenarioName, &str)| {
        // A test parses each of them.
        Scenario::parse_scenario_file(text).unwrap_or_else(|error| unreachable!("a built-in scenario: {error}"))
    };
    BUILT_IN_FILES.iter().map(parse).collect()
});

/// All built-in scenarios.
pub fn built_in_scenarios() -> &'static [Scenario] {
    &BUILT_IN_SCENARIOS
}

impl BuiltInScenarioName {
    /// The scenario of this name.
    pub fn built_in_scenario(self) -> &'static Scenario {
        let at = BUILT_IN_FILES.iter().position(|(name, _)| *name == self);
        // A test ensures that every name has a file.
        &built_in_scenarios()[at.unwrap_or(0)]
    }

    /// The text of its file, to start an own one from.
    pub fn scenario_file_text(self) -> &'static str {
        BUILT_IN_FILES.iter().find(|(name, _)| *name == self).map_or("", |(_, text)| text)
    }

    /// Its name on the command line and in JSON.
    pub fn scenario_name(self) -> &'static str {
        self.built_in_scenario().name()
    }
}

impl From<BuiltInScenarioName> for Scenario {
    fn from(name: BuiltInScenarioName) -> Self {
        name.built_in_scenario().clone()
    }
}

impl fmt::Display for BuiltInScenarioName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scenario_name())
    }
}

/// The name of a scenario that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scenario `{name}`; the scenarios are: {known}")]
pub struct UnknownScenarioError {
    /// The name as given.
    pub name: String,
    /// The names of all scenarios, separated by commas.
    pub known: String,
}

/// Finds the scenario with this name.
///
/// # Errors
/// There is none; the error lists the names.
pub(crate) fn find_scenario_by_name<'a>(
    scenarios: &'a [Scenario],
    name: &str,
) -> Result<&'a Scenario, UnknownScenarioError> {
    scenarios.iter().find(|scenario| scenario.name() == name).ok_or_else(|| UnknownScenarioError {
        name: name.to_owned(),
        known: scenarios.iter().map(Scenario::name).collect::<Vec<_>>().join(", "),
    })
}

/// Copies the known scenarios and adds this one, which replaces the one of the same name.
pub(crate) fn copy_scenarios_adding_or_replacing(known: &[Scenario], own: &Scenario) -> Vec<Scenario> {
    let mut scenarios = known.to_vec();
    match scenarios.iter_mut().find(|scenario| scenario.name() == own.name()) {
        Some(replaced) => *replaced = own.clone(),
        None => scenarios.push(own.clone()),
    }
    scenarios
}

impl FromStr for BuiltInScenarioName {
    type Err = UnknownScenarioError;

    fn from_str(name: &str) -> Result<Self, UnknownScenarioError> {
        find_scenario_by_name(built_in_scenarios(), name)?;
        let found = BUILT_IN_FILES.iter().zip(built_in_scenarios()).find(|(_, scenario)| scenario.name() == name);
        Ok(found.map_or(Self::Happy, |((scenario, _), _)| *scenario))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_parses_and_is_found_by_its_name() {
        for (name, text) in BUILT_IN_FILES {
            let scenario = Scenario::parse_scenario_file(text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(scenario.name().parse(), Ok(name));
            assert_eq!(&scenario, name.built_in_scenario());
            let words = format!("{name:?}").replace(|c: char| c.is_ascii_uppercase(), "-");
            let lower_case = scenario.name().split('-').map(|word| &word[1..]);
            assert_eq!(words, format!("-{}", lower_case.collect::<Vec<_>>().join("-")));
        }
        let error = "sunny".parse::<BuiltInScenarioName>().expect_err("no such scenario").to_string();
        assert!(error.contains("sunny") && error.contains("happy, existing-avatar"), "{error}");
    }

    #[test]
    fn only_token_expires_has_a_lifetime_below_its_processing_time() {
        for scenario in built_in_scenarios() {
            for existing in [false, true] {
                let (shortest, longest) = scenario.total_duration_range(existing);
                if scenario.name() == BuiltInScenarioName::TokenExpires.scenario_name() {
                    assert!(shortest > scenario.token_lifetime());
                } else {
                    assert!(longest * 2 < scenario.token_lifetime(), "{}", scenario.name());
                }
            }
        }
    }

    #[test]
    fn own_scenario_replaces_the_one_of_its_name_and_is_added_otherwise() {
        let own = |name: &str| {
            let text = format!("name = \"{name}\"\nabout = \"mine\"\nsteps = []");
            Scenario::parse_scenario_file(&text).expect("valid")
        };
        let scenarios = copy_scenarios_adding_or_replacing(built_in_scenarios(), &own("stalls"));
        assert_eq!(scenarios.len(), BUILT_IN_FILES.len());
        assert_eq!(find_scenario_by_name(&scenarios, "stalls").map(Scenario::summary_sentence), Ok("mine"));
        assert_eq!(
            copy_scenarios_adding_or_replacing(&scenarios, &own("other")).last().map(Scenario::name),
            Some("other")
        );
    }
}
