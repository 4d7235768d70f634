//! `copresence` held to its contract from outside: the real program, folders of its own, and, but for the
//! embedded sandbox, a backend that was written from the vendor's text and shares no code with the product.

mod breaks;
mod crash;
mod endings;
mod faulty;
mod history;
#[cfg(unix)]
mod interrupted;
mod loop_alone;
mod partner;
mod saving;
mod secrets;
mod support;
mod visits;
mod words;
