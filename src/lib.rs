//! trunkline, the facade.
