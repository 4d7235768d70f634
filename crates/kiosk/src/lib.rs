//! The application: performs a visit's effects; profiles; what hosts see (views, errors, commands).

pub mod view;
