//! `copresence` held to its contract from outside: the real program, folders of its own, and, but for the
//! embedded sandbox, a backend that was written from the vendor's text and shares no code with the product.

mod breaks;
mod crash;
mod doctor;
mod endings;
mod faulty;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(unix)]
mod guide;
mod history;
#[cfg(unix)]
mod interrupted;
mod leaks;
mod loop_alone;
mod lost;
mod partner;
mod saving;
mod secrets;
mod support;
mod validating;
mod visits;
mod words;
