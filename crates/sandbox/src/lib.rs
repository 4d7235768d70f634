//! A simulated Copresence backend
