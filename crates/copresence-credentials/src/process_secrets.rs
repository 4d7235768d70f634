//! Keeps the credentials of this process out of core dumps and out of the environment of its child processes.

use crate::CredentialKind;
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::HashMap;
use std::io;

/// Prevents core dumps of this process and its child processes: they would contain credentials and Export Tokens.
///
/// Call it at the start of a program. A debugger still works. Does nothing on Windows, which writes no dumps by default.
pub fn disable_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { maximum, .. } = getrlimit(Resource::Core);
        // Linux ignores a limit of 0 for a core that goes to a program, such as Ubuntu's crash reporter, and respects 1.
        let limit = maximum.map_or(1, |maximum| maximum.min(1));
        if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(limit), maximum }) {
            tracing::warn!(%error, "core dumps cannot be disabled; they would contain credentials");
        }
    }
}

/// Name of the variable with the number of the file descriptor from which a restarted program reads its credentials.
#[cfg(unix)]
const CREDENTIALS_DESCRIPTOR_VARIABLE: &str = "COPRESENCE_CREDENTIALS_FD";

/// The smallest capacity of a pipe on the systems that are supported, in bytes. Longer credentials cannot be passed on.
#[cfg(unix)]
const MIN_PIPE_CAPACITY_BYTES: usize = 16 * 1024;

/// The credentials that the program got by environment variables, and what is needed to start the program again without
/// these variables, so that its child processes do not inherit them.
///
/// A process cannot remove a variable from its own environment safely; a new start of the same program can.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentCredentials {
    /// By the names of the variables.
    values: HashMap<String, SecretString>,
    /// Whether the environment of this process still has them.
    are_inherited_by_children: bool,
}

impl EnvironmentCredentials {
    /// Reads the credentials of the environment, and those that
    /// [`restart_with_piped_credentials`](Self::restart_with_piped_credentials) passed on through a pipe. The variables stay
    /// set. Can be called once: the pipe is empty afterwards.
    pub fn read_from_environment_or_pipe_once() -> Self {
        let names = CredentialKind::ALL.map(CredentialKind::overriding_env_var_name);
        let found = names.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?.into())));
        let found: HashMap<_, SecretString> = found.collect();
        let are_inherited_by_children = !found.is_empty();
        #[cfg(unix)]
        let passed_on = read_credentials_piped_by_restart();
        #[cfg(not(unix))]
        let passed_on = HashMap::new();
        // A variable that was set after the restart is newer.
        Self { values: passed_on.into_iter().chain(found).collect(), are_inherited_by_children }
    }

    /// Whether child processes would inherit a credential.
    pub fn are_inherited_by_children(&self) -> bool {
        self.are_inherited_by_children
    }

    /// The value of a variable: of a credential, or of any other variable of the environment.
    pub fn read_credential_or_env_variable(&self, name: &str) -> Option<String> {
        let credential = self.values.get(name).map(|value| value.expose_secret().to_owned());
        credential.or_else(|| std::env::var(name).ok())
    }

    /// Replaces this process by a new start of the same program with the same arguments, with `variables` added to its
    /// environment and the credentials removed from it. The new program gets the credentials through a pipe.
    ///
    /// Returns only if that is not possible, with the reason. It is not possible on Windows.
    pub fn restart_with_piped_credentials(&self, variables: &[(&str, &str)]) -> io::Error {
        #[cfg(unix)]
        {
            self.try_restart_with_piped_credentials(variables).unwrap_or_else(|error| error)
        }
        #[cfg(not(unix))]
        {
            let _ = variables;
            io::Error::from(io::ErrorKind::Unsupported)
        }
    }

    /// Replaces this process by a new start of the program, which gets the credentials through a pipe. Returns only if
    /// the start fails, with its error.
    ///
    /// # Errors
    /// The start could not be prepared, for example because the credentials do not fit into the pipe.
    #[cfg(unix)]
    fn try_restart_with_piped_credentials(&self, variables: &[(&str, &str)]) -> io::Result<io::Error> {
        use std::os::fd::AsRawFd as _;
        use std::os::unix::process::CommandExt as _;
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1)).envs(variables.iter().copied());
        command.env_remove(CREDENTIALS_DESCRIPTOR_VARIABLE);
        // Open until the program is replaced.
        let mut pipe = None;
        if !self.values.is_empty() {
            let text = format_nul_separated_variables(&self.values);
            let bytes = text.expose_secret().as_bytes();
            if bytes.len() > MIN_PIPE_CAPACITY_BYTES {
                return Err(io::Error::other("the credentials in the environment are longer than 16 KiB"));
            }
            // Without the flag that closes them when the program is replaced.
            let (reader, writer) = rustix::pipe::pipe()?;
            io::Write::write_all(&mut std::fs::File::from(writer), bytes)?;
            command.env(CREDENTIALS_DESCRIPTOR_VARIABLE, reader.as_raw_fd().to_string());
            for name in self.values.keys() {
                command.env_remove(name);
            }
            pipe = Some(reader);
        }
        let error = command.exec();
        drop(pipe);
        Ok(error)
    }
}

/// Reads what [`EnvironmentCredentials::restart_with_piped_credentials`] passed on. Nothing, if the program was not started by it.
#[cfg(unix)]
fn read_credentials_piped_by_restart() -> HashMap<String, SecretString> {
    let Some(descriptor) = std::env::var_os(CREDENTIALS_DESCRIPTOR_VARIABLE) else { return HashMap::new() };
    let path = std::path::Path::new("/dev/fd").join(descriptor);
    match std::fs::read_to_string(path) {
        Ok(text) => parse_nul_separated_variables(&text.into()),
        Err(error) => {
            tracing::error!(%error, "the credentials of the environment were lost in a restart of the program");
            HashMap::new()
        }
    }
}

/// Writes variables as `NAME=value`, each followed by a NUL, which no variable contains.
#[cfg(unix)]
fn format_nul_separated_variables(variables: &HashMap<String, SecretString>) -> SecretString {
    let lines = variables.iter().map(|(name, value)| format!("{name}={}\0", value.expose_secret()));
    lines.collect::<String>().into()
}

/// Parses what [`format_nul_separated_variables`] wrote.
#[cfg(unix)]
fn parse_nul_separated_variables(text: &SecretString) -> HashMap<String, SecretString> {
    let pairs = text.expose_secret().split('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn variables_with_any_value_are_passed_on() {
        let pairs = [("COPRESENCE_API_KEY", "a=b\nc"), ("COPRESENCE_PASSWORD", ""), ("COPRESENCE_USERNAME", "ü")];
        let variables = pairs.map(|(name, value)| (name.to_owned(), SecretString::from(value))).into();
        let parsed = parse_nul_separated_variables(&format_nul_separated_variables(&variables));
        assert_eq!(parsed.len(), pairs.len());
        for (name, value) in pairs {
            assert_eq!(parsed[name].expose_secret(), value, "{name}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let values = [("COPRESENCE_PASSWORD".to_owned(), SecretString::from("hunter2"))].into();
        let text = format!("{:?}", EnvironmentCredentials { values, are_inherited_by_children: true });
        assert!(!text.contains("hunter2"), "{text}");
    }
}
