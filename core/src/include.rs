//! The one line that brings generated code into a crate.

/// Includes everything that `trunkline-codegen` made in a build script: a module for each package.
///
/// Shape: stands where items stand, usually alone in a module of its own. A package `shop.orders` is
/// the module `shop::orders` there. The other form takes the name that the build script gave to
/// `include_file`.
///
/// ```ignore
/// mod pb {
///     trunkline::include_protos!();
/// }
/// use pb::shop::orders::OrdersClient;
/// ```
#[macro_export]
macro_rules! include_protos {
    () => {
        $crate::include_protos!("mod.rs");
    };
    ($file:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $file));
    };
}
