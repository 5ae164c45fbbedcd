/// The guest's part of the rules that keep pages from being lost, so that a test can switch one of them
/// off and see that pages are lost without it.
///
/// In a release build they are constants, and in a debug build only this module and its tests can
/// reach them: no option, variable or message does.
struct HoldRules: Sendable {
  #if DEBUG
    /// RELEASED is in the mark page before a frame is let go without an acknowledgement.
    var saysReleasedFirst = true
    /// In post-copy nothing is let go without an acknowledgement before the lease is over.
    var keepsLease = true
  #else
    let saysReleasedFirst = true
    let keepsLease = true
  #endif
}
