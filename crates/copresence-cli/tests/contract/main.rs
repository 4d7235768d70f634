//! Tests of the contract of `copresence`: the real program in temporary folders, with the embedded sandbox or with a
//! backend that was written from the vendor's specification and shares no code with the product.

mod auto_visits;
mod commands;
mod doctor;
mod exit_codes;
mod fault_lists;
#[cfg(target_os = "linux")]
mod full_disk;
mod history;
#[cfg(unix)]
mod interruption;
mod known_failures;
mod partner_backend;
mod protocol_violations;
mod recovery;
#[cfg(unix)]
mod sandbox_command;
#[cfg(unix)]
mod sandbox_guide;
#[cfg(target_os = "linux")]
mod sandbox_limits;
mod saving;
mod secret_search;
mod secrets;
#[cfg(unix)]
mod shell_files;
mod support;
mod truncated_responses;
mod validation;
mod validation_answers;
mod visits;
