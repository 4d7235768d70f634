//! Typed endpoints of the Copresence Integration API over HTTP
